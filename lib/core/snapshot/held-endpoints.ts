/** Endpoints that the registry removed and that clients still use, with the time at which each hold began. */
import { EndpointStore } from './endpoint-store.js';
import type { Endpoint } from '../records/endpoint.js';

/** The held endpoints. Only the removal guard changes this object, in place. */
export class HeldEndpoints {
  private readonly store = new EndpointStore();
  /** When each hold began, by key, in milliseconds; the oldest hold first. */
  private readonly since = new Map<string, number>();

  get size(): number {
    return this.store.size;
  }

  /** The held endpoints that a client can dial; the same array until a hold begins or ends. */
  get usable(): readonly Endpoint[] {
    return this.store.usable;
  }

  /** The held addresses, in the order in which their holds began. */
  get addresses(): readonly string[] {
    return [...this.store.values()].map(({ address }) => address);
  }

  /** When the oldest hold began; `undefined` if there is no hold. */
  get firstSince(): number | undefined {
    return this.since.values().next().value;
  }

  has(address: string): boolean {
    return this.store.hasAddress(address);
  }

  entries(): IterableIterator<[string, Endpoint]> {
    return this.store.entries();
  }

  /** Begins a hold of an endpoint. */
  hold(key: string, endpoint: Endpoint, now: number): void {
    this.since.delete(key);
    this.store.put(key, endpoint);
    this.since.set(key, now);
  }

  /** Ends the hold of a key, if there is one, and returns its endpoint. */
  drop(key: string): Endpoint | undefined {
    this.since.delete(key);
    return this.store.delete(key);
  }

  /**
   * Ends every hold of a record that the registry lists again, under this key or under another key of its
   * address.
   *
   * @returns the addresses, one for each hold that ended
   */
  dropListed(key: string, address: string): string[] {
    if (this.store.size === 0) return [];
    const own = this.drop(key);
    const others = this.store.keysOf(address);
    for (const other of others) this.drop(other);
    return [...(own === undefined ? [] : [own.address]), ...others.map(() => address)];
  }

  /** Ends the holds of endpoints for which `isWanted` returns false, and returns their addresses. O(n). */
  dropUnless(isWanted: (endpoint: Endpoint) => boolean): string[] {
    const over = [...this.store.entries()].filter(([, endpoint]) => !isWanted(endpoint));
    for (const [key] of over) this.drop(key);
    return over.map(([, { address }]) => address);
  }

  /** Ends the holds that began at `latest` or before, and returns their addresses. */
  dropUntil(latest: number): string[] {
    const addresses: string[] = [];
    for (const [key, since] of this.since) {
      if (since > latest) break;
      const dropped = this.drop(key);
      if (dropped !== undefined) addresses.push(dropped.address);
    }
    return addresses;
  }

  /** Starts the time of every hold anew, at `now`. */
  restart(now: number): void {
    for (const key of this.since.keys()) this.since.set(key, now);
  }
}
