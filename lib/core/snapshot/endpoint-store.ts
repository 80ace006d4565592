/**
 * The endpoints of one service by key, changed in place: the cost of a change does not depend on their
 * number. Only the owner of a store changes it; all others get immutable lists.
 */
import { endpointAddress } from '../records/endpoint-address.js';
import type { Endpoint } from '../records/endpoint.js';
import { sameEndpoint, type Snapshot } from './snapshot.js';

/**
 * Endpoints by key, indexed by address. Iterates in the order in which keys were added; a key whose endpoint
 * is replaced keeps its place.
 */
export class EndpointStore {
  private readonly byKey = new Map<string, Endpoint>();
  /** Keys by address. Nearly every address has one key, and needs no set. */
  private readonly byAddress = new Map<string, string | Set<string>>();
  /** How many addresses have more than one key. */
  private shared = 0;
  /** Keys whose endpoint has an address that a client cannot dial. */
  private readonly undialable = new Set<string>();
  private list: readonly Endpoint[] | undefined;

  /** @param snapshot the first content, which is copied */
  constructor(snapshot?: Snapshot) {
    for (const [key, endpoint] of snapshot ?? []) this.put(key, endpoint);
  }

  /** How many keys, and so endpoints, the store has. */
  get size(): number {
    return this.byKey.size;
  }

  /** Whether a client can dial none of the endpoints. */
  get isUnusable(): boolean {
    return this.byKey.size === this.undialable.size;
  }

  /**
   * The endpoints that a client can dial, one per address: of several keys with one address the first counts.
   * Built on demand, O(n); the same array until the store changes.
   */
  get usable(): readonly Endpoint[] {
    this.list ??= this.buildList();
    return this.list;
  }

  get(key: string): Endpoint | undefined {
    return this.byKey.get(key);
  }

  /** Whether any endpoint has this address. */
  hasAddress(address: string): boolean {
    return this.byAddress.has(address);
  }

  /** The keys whose endpoints have this address. */
  keysOf(address: string): readonly string[] {
    const keys = this.byAddress.get(address);
    if (keys === undefined) return [];
    return typeof keys === 'string' ? [keys] : [...keys];
  }

  keys(): IterableIterator<string> {
    return this.byKey.keys();
  }

  values(): IterableIterator<Endpoint> {
    return this.byKey.values();
  }

  entries(): IterableIterator<[string, Endpoint]> {
    return this.byKey.entries();
  }

  /** Adds or replaces an endpoint. If the known endpoint has the same value, it stays, as the same object. */
  put(key: string, endpoint: Endpoint): void {
    const known = this.byKey.get(key);
    if (known !== undefined) {
      if (sameEndpoint(known, endpoint)) return;
      if (known.address !== endpoint.address) this.unindex(key, known.address);
    }
    this.list = undefined;
    this.byKey.set(key, endpoint);
    if (known?.address !== endpoint.address) this.index(key, endpoint);
  }

  /** @returns the removed endpoint; `undefined` if the key is unknown */
  delete(key: string): Endpoint | undefined {
    const known = this.byKey.get(key);
    if (known === undefined) return undefined;
    this.list = undefined;
    this.byKey.delete(key);
    this.unindex(key, known.address);
    return known;
  }

  private index(key: string, endpoint: Endpoint): void {
    const { address } = endpoint;
    const keys = this.byAddress.get(address);
    if (keys === undefined) {
      this.byAddress.set(address, key);
    } else if (typeof keys === 'string') {
      this.byAddress.set(address, new Set([keys, key]));
      this.shared++;
    } else {
      keys.add(key);
    }
    if (endpointAddress(endpoint) === undefined) this.undialable.add(key);
  }

  private unindex(key: string, address: string): void {
    this.undialable.delete(key);
    const keys = this.byAddress.get(address);
    if (!(keys instanceof Set)) {
      this.byAddress.delete(address);
      return;
    }
    keys.delete(key);
    if (keys.size > 1) return;
    const [last = ''] = keys;
    this.byAddress.set(address, last);
    this.shared--;
  }

  private buildList(): readonly Endpoint[] {
    // The usual case: no address has two keys and all can be dialled, so the list is all values.
    if (this.shared === 0 && this.undialable.size === 0) return [...this.byKey.values()];
    const seen = new Set<string>();
    const list: Endpoint[] = [];
    for (const [key, endpoint] of this.byKey) {
      if (this.undialable.has(key)) continue;
      if (this.shared > 0 && this.byAddress.get(endpoint.address) instanceof Set) {
        if (seen.has(endpoint.address)) continue;
        seen.add(endpoint.address);
      }
      list.push(endpoint);
    }
    return list;
  }
}
