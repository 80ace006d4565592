import { Observable, type Subscriber } from 'rxjs';
import { DiscoveryError } from '../../../lib/core/discovery-error.js';
import type { Endpoint } from '../../../lib/core/records/endpoint.js';
import type { RegistryUpdate } from '../../../lib/core/snapshot/registry-update.js';
import { Registry } from '../../../lib/registry/registry.js';

/** A registry that emits what a test passes to it, and counts its watches. */
export class ScriptedRegistry extends Registry {
  readonly scheme = 'scripted';
  /** Services whose watch was started, in order. */
  readonly started: string[] = [];
  readonly refreshed: string[] = [];
  private readonly subscribers = new Map<string, Set<Subscriber<RegistryUpdate>>>();

  override watch(service: string): Observable<RegistryUpdate> {
    return new Observable((subscriber) => {
      this.started.push(service);
      const all = this.subscribers.get(service) ?? new Set();
      this.subscribers.set(service, all.add(subscriber));
      return () => all.delete(subscriber);
    });
  }

  override refresh(service: string): void {
    this.refreshed.push(service);
  }

  /** The number of open watches on a service. */
  watching(service: string): number {
    return this.subscribers.get(service)?.size ?? 0;
  }

  say(service: string, update: RegistryUpdate): void {
    for (const subscriber of this.subscribers.get(service) ?? []) subscriber.next(update);
  }

  reset(service: string, ...endpoints: readonly (string | Endpoint)[]): void {
    this.say(service, { kind: 'reset', snapshot: toSnapshot(endpoints) });
  }

  begin(service: string, ...endpoints: readonly (string | Endpoint)[]): void {
    this.say(service, { kind: 'reset', snapshot: toSnapshot(endpoints), isPart: true });
  }

  put(service: string, ...endpoints: readonly (string | Endpoint)[]): void {
    this.say(service, { kind: 'change', change: { put: toSnapshot(endpoints), removed: [] } });
  }

  remove(service: string, ...addresses: readonly string[]): void {
    this.say(service, { kind: 'change', change: { put: new Map(), removed: addresses } });
  }

  fail(service: string, detail = 'away'): DiscoveryError {
    const error = new DiscoveryError('REGISTRY_UNAVAILABLE', detail);
    this.say(service, { kind: 'failure', error });
    return error;
  }
}

function toSnapshot(endpoints: readonly (string | Endpoint)[]): Map<string, Endpoint> {
  const list = endpoints.map((entry) =>
    typeof entry === 'string' ? { address: entry, metadata: null } : entry,
  );
  return new Map(list.map((endpoint) => [endpoint.address, endpoint]));
}
