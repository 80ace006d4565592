/** A hard-coded list of addresses: no registry at all. */
import { NEVER, type Observable, of, concat } from 'rxjs';
import { parseAddress } from '../core/address.js';
import { DiscoveryError } from '../core/discovery-error.js';
import type { Endpoint } from '../core/endpoint.js';
import type { RegistryUpdate } from '../core/registry-update.js';
import { EMPTY_SNAPSHOT, type Snapshot } from '../core/snapshot.js';
import { Registry } from './registry.js';

/** Addresses (`host:port`) or whole endpoints by service name. */
export type StaticServices = Readonly<Record<string, readonly (string | Endpoint)[]>>;

/**
 * Serves fixed lists under the scheme `static`:
 * `new StaticRegistry({ api: ['localhost:9999', 'localhost:9998', 'localhost:9997'] })`.
 * A subclass may answer to another scheme by overriding `scheme`.
 */
export class StaticRegistry extends Registry {
  readonly scheme: string = 'static';
  private readonly snapshots: ReadonlyMap<string, Snapshot>;

  /**
   * @throws DiscoveryError `INVALID_OPTION` for an address that nobody could dial
   */
  constructor(services: StaticServices) {
    super();
    this.snapshots = new Map(
      Object.entries(services).map(([service, endpoints]) => [
        service,
        new Map(endpoints.map((entry) => toEntry(service, entry))),
      ]),
    );
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

function toEntry(service: string, entry: string | Endpoint): [string, Endpoint] {
  const endpoint = typeof entry === 'string' ? { address: entry, metadata: null } : entry;
  if (parseAddress(endpoint.address) === undefined) {
    throw new DiscoveryError(
      'INVALID_OPTION',
      `address "${endpoint.address}" of static service "${service}" cannot be dialled; allowed: host:port, [ipv6]:port with a port from 1 to 65535, unix:path`,
    );
  }
  return [endpoint.address, endpoint];
}
