/** A registry in the memory of one process, for tests and for processes with both servers and clients. */
import { defer, type Observable, startWith, Subject } from 'rxjs';
import type { DiscoveryEvent } from '../core/discovery-event.js';
import type { Endpoint } from '../core/records/endpoint.js';
import type { RegistryUpdate } from '../core/snapshot/registry-update.js';
import {
  diffSnapshots,
  isEmptyChange,
  sameEndpoint,
  type Snapshot,
  type SnapshotChange,
} from '../core/snapshot/snapshot.js';
import { recordKey } from '../core/records/record-key.js';
import { checkRegistration } from './check-registration.js';
import { type GivenEndpoint, toEndpoints } from './given-endpoint.js';
import type { Registration, RegistrationRequest } from './registration.js';
import { Registry } from './registry.js';
import { TrackedRegistration } from './tracked-registration.js';

/** Keeps records in memory and passes changes to every watcher at once. Records do not expire. */
export class MemoryRegistry extends Registry {
  readonly scheme: string = 'memory';
  private readonly services = new Map<string, MemoryService>();
  private readonly open = new Set<Registration>();
  private readonly events = new Subject<DiscoveryEvent>();

  override get removalsAreFinal(): boolean {
    return true;
  }

  override watch(service: string): Observable<RegistryUpdate> {
    return this.service(service).watch();
  }

  override register(request: RegistrationRequest): Registration {
    checkRegistration(request);
    const { service, endpoint } = request;
    const suffix = request.key ?? endpoint.address;
    const registration = new TrackedRegistration(
      {
        state: 'registered',
        service,
        key: recordKey('', service, suffix),
        address: endpoint.address,
      },
      (next) => this.service(service).put(suffix, next),
      () => {
        this.service(service).remove(suffix);
        this.open.delete(registration);
        this.events.next({
          type: 'deregistered',
          key: registration.status.key,
        });
      },
    );
    this.open.add(registration);
    registration.update(endpoint);
    this.events.next({
      type: 'registered',
      key: registration.status.key,
      leaseId: '',
    });
    return registration;
  }

  /**
   * Replaces the whole list of a service, given as addresses, ports of `localhost` or endpoints.
   *
   * @throws DiscoveryError `INVALID_OPTION` for an address that no client could dial
   */
  setEndpoints(service: string, endpoints: readonly GivenEndpoint[]): void {
    this.service(service).replace(toEndpoints(service, endpoints));
  }

  /** The current endpoints of a service. */
  endpoints(service: string): readonly Endpoint[] {
    return [...this.service(service).current.values()];
  }

  override get events$(): Observable<DiscoveryEvent> {
    return this.events.asObservable();
  }

  override describe(service: string): string {
    return `memory registry, service "${service}"`;
  }

  override async close(): Promise<void> {
    await Promise.all([...this.open].map((registration) => registration.close()));
  }

  private service(name: string): MemoryService {
    const known = this.services.get(name) ?? new MemoryService();
    this.services.set(name, known);
    return known;
  }
}

class MemoryService {
  /** The current endpoints by address. The map changes in place, so watchers get copies. */
  private readonly endpoints = new Map<string, Endpoint>();
  private readonly changes = new Subject<RegistryUpdate>();

  get current(): Snapshot {
    return this.endpoints;
  }

  watch(): Observable<RegistryUpdate> {
    return defer(() =>
      this.changes.pipe(
        startWith<RegistryUpdate>({ kind: 'reset', snapshot: new Map(this.endpoints) }),
      ),
    );
  }

  put(key: string, endpoint: Endpoint): void {
    const known = this.endpoints.get(key);
    if (known !== undefined && sameEndpoint(known, endpoint)) return;
    this.apply({ put: new Map([[key, endpoint]]), removed: [] });
  }

  remove(key: string): void {
    if (this.endpoints.has(key)) this.apply({ put: new Map(), removed: [key] });
  }

  /** Replaces all endpoints, in O(n). An endpoint that stays keeps its place. */
  replace(next: Snapshot): void {
    const change = diffSnapshots(this.endpoints, next);
    if (!isEmptyChange(change)) this.apply(change);
  }

  private apply(change: SnapshotChange): void {
    for (const key of change.removed) this.endpoints.delete(key);
    for (const [key, endpoint] of change.put) this.endpoints.set(key, endpoint);
    this.changes.next({ kind: 'change', change });
  }
}
