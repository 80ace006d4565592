/** A registry of hard-coded addresses. */
import { NEVER, type Observable, of, concat } from 'rxjs';
import type { RegistryUpdate } from '../core/snapshot/registry-update.js';
import { EMPTY_SNAPSHOT, type Snapshot } from '../core/snapshot/snapshot.js';
import { type GivenServices, toServices } from './given-endpoint.js';
import { Registry } from './registry.js';

/** Addresses (`host:port`), ports of `localhost` or whole endpoints by service name. */
export type StaticServices = GivenServices;

/**
 * Serves fixed lists under the scheme `static`:
 * `new StaticRegistry({ api: ['localhost:9999', 'localhost:9998', 'localhost:9997'] })`.
 * A subclass may answer to another scheme by overriding `scheme`.
 */
export class StaticRegistry extends Registry {
  readonly scheme: string = 'static';
  private readonly snapshots: ReadonlyMap<string, Snapshot>;

  /**
   * @throws DiscoveryError `INVALID_OPTION` for a value that is not a list, or an address that no client
   *   could dial
   */
  constructor(services: StaticServices) {
    super();
    this.snapshots = toServices(services);
  }

  override get removalsAreFinal(): boolean {
    return true;
  }

  override watch(service: string): Observable<RegistryUpdate> {
    const snapshot = this.snapshots.get(service) ?? EMPTY_SNAPSHOT;
    return concat(of<RegistryUpdate>({ kind: 'reset', snapshot }), NEVER);
  }

  override describe(service: string): string {
    return `static list "${service}"`;
  }
}
