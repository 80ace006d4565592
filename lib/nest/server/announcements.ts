/**
 * The records of this application: which service of which server is announced, with which content, and its
 * status.
 */
import type { Subscription } from 'rxjs';
import type { Endpoint } from '../../core/records/endpoint.js';
import type { Registration, RegistrationStatus } from '../../registry/registration.js';
import type { Registry } from '../../registry/registry.js';
import type { BoundServer } from './grpc-servers.service.js';
import { isOfferedAt } from './service-placement.js';
import {
  type RecordContent,
  type RecordUpdate,
  type ResolvedService,
  updatedRecord,
} from '../options/validate-service.js';
import { defaultKey } from '../worker-key.js';

/** The registration of one service at one server. */
interface Announcement {
  readonly service: ResolvedService;
  /** The server of the record; another one after the record was handed over. */
  server: BoundServer;
  readonly address: string;
  readonly registration: Registration;
}

/** Makes registrations and removes them. */
export class Announcements {
  private readonly entries = new Map<Announcement, Subscription>();
  /** The content that `update` has set, by service name; later registrations use it too. */
  private readonly updated = new Map<string, RecordContent>();
  private withdrawnAt = -Infinity;

  /**
   * @param maxConnectionAgeMs the age at which this application's servers end connections; every record
   *   contains it
   * @param onChange called when the status of a registration changes, or a registration is added or removed
   */
  constructor(
    private readonly registry: Registry,
    private readonly maxConnectionAgeMs: number | undefined,
    private readonly onChange: () => void,
  ) {}

  get statuses(): readonly RegistrationStatus[] {
    return this.list().map(({ registration }) => registration.status);
  }

  /** When the last record was removed, on the scale of `performance.now()`. */
  get lastWithdrawalMs(): number {
    return this.withdrawnAt;
  }

  /** All announcements, or those of one server. */
  list(server?: BoundServer): readonly Announcement[] {
    const all = [...this.entries.keys()];
    return server === undefined ? all : all.filter((entry) => entry.server === server);
  }

  has(service: ResolvedService, server: BoundServer, address: string): boolean {
    return this.list().some(
      (entry) =>
        entry.service === service &&
        // The option `address` or `key` makes one record, even if several servers share it.
        (entry.server === server || entry.address === address || service.key !== undefined),
    );
  }

  /** Announces a service. Returns at once; the registration goes on until it succeeds. */
  add(service: ResolvedService, server: BoundServer, address: string): Announcement {
    const key = service.key ?? defaultKey(address);
    const registration = this.registry.register({
      service: service.name,
      endpoint: this.endpoint(service, address),
      ttlSeconds: service.ttlSeconds,
      ...(key === undefined ? {} : { key }),
    });
    const announcement = { service, server, address, registration };
    this.entries.set(
      announcement,
      registration.status$.subscribe(() => this.onChange()),
    );
    this.onChange();
    return announcement;
  }

  /** Changes the content of a service's records, now and in later registrations. */
  update(service: ResolvedService, change: RecordUpdate): void {
    const before = this.updated.get(service.name) ?? service;
    this.updated.set(service.name, updatedRecord('update', before, change));
    for (const entry of this.list()) {
      if (entry.service !== service) continue;
      entry.registration.update(this.endpoint(service, entry.address));
    }
  }

  /**
   * Hands the records of a closing server over to others. The option `address` makes one record, even if
   * several servers share it: the record stays while another server offers the service, and then belongs to
   * that server.
   */
  handOver(server: BoundServer, others: Iterable<BoundServer>): void {
    for (const entry of this.list(server)) {
      if (entry.service.address === undefined) continue;
      const heir = [...others].find((other) => isOfferedAt(entry.service, other));
      entry.server = heir ?? server;
    }
  }

  /**
   * Removes records. Resolves when they are removed, or the registry did not answer in time; never rejects.
   */
  async withdraw(announcements: readonly Announcement[]): Promise<void> {
    await Promise.all(announcements.map(({ registration }) => registration.close()));
    if (announcements.length > 0) this.withdrawnAt = performance.now();
    for (const announcement of announcements) {
      this.entries.get(announcement)?.unsubscribe();
      this.entries.delete(announcement);
    }
    this.onChange();
  }

  private endpoint(service: ResolvedService, address: string): Endpoint {
    const { metadata, discovery } = this.updated.get(service.name) ?? service;
    const { maxConnectionAgeMs } = this;
    const added = {
      ...discovery,
      ...(maxConnectionAgeMs === undefined ? {} : { maxConnectionAgeMs }),
    };
    // If `discovery` is left out, the record is byte for byte the one that Go writes.
    return { address, metadata, ...(Object.keys(added).length === 0 ? {} : { discovery: added }) };
  }
}
