/**
 * Has the application's services in the registry exactly while it can serve them: from the moment a server is bound *and*
 * the application is bootstrapped, whichever is last, until the first sign that either ends.
 */
import type { Server } from '@grpc/grpc-js';
import { Inject, Injectable, Logger } from '@nestjs/common';
import { BehaviorSubject, filter, firstValueFrom, type Observable, type Subscription } from 'rxjs';
import { DiscoveryError } from '../core/discovery-error.js';
import type { Endpoint } from '../core/endpoint.js';
import { DEFAULT_REQUEST_TIMEOUT_MS } from '../etcd/etcd-options.js';
import { shutDownGracefully } from '../grpc/graceful-shutdown.js';
import type { Registration, RegistrationStatus } from '../registry/registration.js';
import { Registry } from '../registry/registry.js';
import { abortableDelay } from './abortable-delay.js';
import { advertisedAddress } from './advertised-address.js';
import { DISCOVERY_OPTIONS } from './discovery.tokens.js';
import { onSecondSignal } from './force-signal.js';
import { type BoundServer, GrpcServers, type GrpcServersListener } from './grpc-servers.service.js';
import type { ResolvedOptions } from './validate-options.js';
import { type RecordUpdate, type ResolvedService, updatedMetadata } from './validate-service.js';

/**
 * - `idle`: nothing to register, or no server bound yet.
 * - `registering`: at least one record is not in the registry; attempts go on without end.
 * - `registered`: every record is in the registry.
 * - `draining`: the records are being taken out.
 * - `drained`: the records are out; nothing is registered again.
 */
export type RegistrarState = 'idle' | 'registering' | 'registered' | 'draining' | 'drained';

/** How the application's registrations stand. */
export interface RegistrarStatus {
  readonly state: RegistrarState;
  /** One entry per service and bound server. */
  readonly registrations: readonly RegistrationStatus[];
}

interface Announcement {
  readonly service: ResolvedService;
  readonly server: BoundServer;
  readonly registration: Registration;
  readonly subscription: Subscription;
  endpoint: Endpoint;
}

/** How long a start waits for the registry beyond one request's time, in milliseconds. */
const START_GRACE_MS = 500;

/** Registers the services of this application, and takes them out. Injectable, for status and control. */
@Injectable()
export class ServiceRegistrar implements GrpcServersListener {
  private readonly logger = new Logger('DiscoveryModule');
  private readonly subject = new BehaviorSubject<RegistrarStatus>({
    state: 'idle',
    registrations: [],
  });
  private readonly bound = new Set<BoundServer>();
  private readonly closing = new Map<BoundServer, Promise<void>>();
  private readonly announcements = new Set<Announcement>();
  private readonly force = new AbortController();
  private bootstrapped = false;
  private draining: Promise<void> | undefined;
  /** When the last record was taken out: clients get `drainDelayMs` from then on to notice. */
  private withdrawnAt = -Infinity;

  constructor(
    @Inject(DISCOVERY_OPTIONS) private readonly options: ResolvedOptions,
    @Inject(Registry) private readonly registry: Registry,
    @Inject(GrpcServers) private readonly servers: GrpcServers,
  ) {
    if (this.options.services.length > 0) this.servers.follow(this);
  }

  get status(): RegistrarStatus {
    return this.subject.value;
  }

  /** The current status, then every change. */
  get status$(): Observable<RegistrarStatus> {
    return this.subject.asObservable();
  }

  /**
   * The first half of a shutdown, on demand: takes every record out, registers nothing again, and gives clients
   * `drainDelayMs` to notice, while the servers go on serving. Resolves also when the registry did not answer in time;
   * never rejects. Further calls return the same promise.
   */
  drain(): Promise<void> {
    this.draining ??= this.withdraw([...this.announcements])
      .then(() => this.untilNoticed())
      .finally(() => this.publish('drained'));
    this.publish('draining');
    return this.draining;
  }

  /**
   * The whole shutdown of every server: records out, time to notice, GOAWAY, calls finish or are ended after
   * `drainTimeoutMs`. A second signal skips what is left of the waiting.
   */
  async shutDown(): Promise<void> {
    const stopListening = onSecondSignal((signal) => {
      this.logger.warn(`${signal} again: calls under way are ended now.`);
      this.force.abort();
    });
    try {
      await this.unlessForced(this.drain());
      await Promise.all([...this.bound].map((server) => this.onClosing(server)));
    } finally {
      stopListening();
    }
  }

  /**
   * Changes what the records say, live: weight, version, zone, metadata fields (a field that is `undefined` stays).
   *
   * @param service which service's records; by default all
   * @throws DiscoveryError `INVALID_OPTION`; `NOT_SERVING` where nothing is registered under that name
   */
  update(partial: RecordUpdate, service?: string): void {
    const affected = [...this.announcements].filter(
      (announcement) => service === undefined || announcement.service.name === service,
    );
    if (affected.length === 0) {
      throw new DiscoveryError(
        'NOT_SERVING',
        `nothing to update: no server is registered${service === undefined ? '' : ` as "${service}"`} yet, or it was taken out`,
      );
    }
    for (const announcement of affected) {
      const metadata = updatedMetadata('update', announcement.endpoint.metadata, partial);
      announcement.endpoint = { ...announcement.endpoint, metadata };
      announcement.registration.update(announcement.endpoint);
    }
  }

  /** Every bootstrap hook of the application has run. May come more than once. */
  async onBootstrapped(): Promise<void> {
    if (!this.bootstrapped && this.options.services.length > 0 && this.servers.size === 0) {
      const names = this.options.services.map(({ name }) => `"${name}"`).join(', ');
      this.logger.warn(
        `Service ${names} is not registered: this application has no gRPC server. Clients cannot find it. Add a microservice with Transport.GRPC, or remove the option "service".`,
      );
    }
    this.bootstrapped = true;
    await this.announce();
  }

  onCreated(_server: Server): void {}

  async onBound(server: BoundServer): Promise<void> {
    this.bound.add(server);
    await this.announce();
  }

  onClosing(server: BoundServer): Promise<void> {
    const closing = this.closing.get(server) ?? this.close(server);
    this.closing.set(server, closing);
    return closing;
  }

  private async close(server: BoundServer): Promise<void> {
    this.bound.delete(server);
    const entries = [...this.announcements].filter((entry) => entry.server === server);
    await this.unlessForced(this.withdraw(entries).then(() => this.untilNoticed()));
    const timeoutMs = Math.max(...this.options.services.map((service) => service.drainTimeoutMs));
    const ended = await shutDownGracefully({
      server: server.server,
      calls: server.calls,
      timeoutMs,
      force: this.force.signal,
    });
    if (ended > 0) {
      this.logger.warn(
        `${ended} calls at ${server.url} were still running after ${timeoutMs} ms and were ended with UNAVAILABLE.`,
      );
    }
  }

  /** Waits until clients have had `drainDelayMs` since the last record was taken out. */
  private async untilNoticed(): Promise<void> {
    const delayMs = Math.max(0, ...this.options.services.map((service) => service.drainDelayMs));
    const restMs = this.withdrawnAt + delayMs - performance.now();
    await abortableDelay(restMs, this.force.signal);
  }

  private unlessForced(work: Promise<void>): Promise<void> {
    const { signal } = this.force;
    if (signal.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      signal.addEventListener('abort', () => resolve(), { once: true });
      void work.then(resolve);
    });
  }

  private async announce(): Promise<void> {
    if (!this.bootstrapped) return;
    const fresh: Announcement[] = [];
    for (const server of this.bound) {
      for (const service of this.options.services) {
        const address = await advertisedAddress({
          server,
          address: service.address,
          host: service.host,
          podIp: process.env['POD_IP'],
          registryHost: this.options.etcd?.hosts[0]?.replace(/^https?:\/\//, ''),
        });
        // The application may have begun to end, or another call have been faster, meanwhile.
        if (this.draining !== undefined || !this.bound.has(server)) return;
        if (this.isAnnounced(service, server, address)) continue;
        fresh.push(this.register(service, server, address));
      }
    }
    await this.untilRegistered(fresh);
  }

  private isAnnounced(service: ResolvedService, server: BoundServer, address: string): boolean {
    return [...this.announcements].some(
      (entry) =>
        entry.service === service &&
        // An address or key given by option is one record, however many servers stand behind it.
        (entry.server === server ||
          entry.endpoint.address === address ||
          service.key !== undefined),
    );
  }

  private register(service: ResolvedService, server: BoundServer, address: string): Announcement {
    const endpoint: Endpoint = { address, metadata: service.metadata };
    const registration = this.registry.register({
      service: service.name,
      endpoint,
      ttlSeconds: service.ttlSeconds,
      ...(service.key === undefined ? {} : { key: service.key }),
    });
    const subscription = registration.status$.subscribe(() => this.publish());
    const announcement = { service, server, registration, subscription, endpoint };
    this.announcements.add(announcement);
    this.publish();
    return announcement;
  }

  /** Waits until the records are in, for about one request's time; then the registration goes on behind. */
  private async untilRegistered(fresh: readonly Announcement[]): Promise<void> {
    const timeoutMs =
      (this.options.etcd?.requestTimeoutMs ?? DEFAULT_REQUEST_TIMEOUT_MS) + START_GRACE_MS;
    const settled = Promise.all(
      fresh.map(({ registration }) =>
        firstValueFrom(
          registration.status$.pipe(
            filter(({ state }) => state === 'registered' || state === 'deregistered'),
          ),
          { defaultValue: undefined },
        ),
      ),
    );
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<'late'>((resolve) => {
      timer = setTimeout(() => resolve('late'), timeoutMs);
    });
    const outcome = await Promise.race([settled, late]);
    clearTimeout(timer);
    if (outcome !== 'late') return;
    const missing = fresh.filter(({ registration }) => registration.status.state !== 'registered');
    const keys = missing.map(({ registration }) => registration.status.key).join(', ');
    if (this.options.failFast) {
      await this.drain();
      throw new DiscoveryError(
        'REGISTRY_UNAVAILABLE',
        `${keys} could not be registered within ${timeoutMs} ms, and failFast is set`,
        { cause: missing[0]?.registration.status.error },
      );
    }
    this.logger.warn(
      `${keys} could not be registered within ${timeoutMs} ms; the server runs, and registration goes on until it succeeds.`,
    );
  }

  private async withdraw(entries: readonly Announcement[]): Promise<void> {
    await Promise.all(entries.map(({ registration }) => registration.close()));
    if (entries.length > 0) this.withdrawnAt = performance.now();
    for (const entry of entries) {
      entry.subscription.unsubscribe();
      this.announcements.delete(entry);
    }
    this.publish();
  }

  private publish(state: RegistrarState = this.currentState()): void {
    const registrations = [...this.announcements].map(({ registration }) => registration.status);
    this.subject.next({ state, registrations });
  }

  private currentState(): RegistrarState {
    if (this.draining !== undefined)
      return this.status.state === 'drained' ? 'drained' : 'draining';
    if (this.announcements.size === 0) return 'idle';
    const all = [...this.announcements].every(
      ({ registration }) => registration.status.state === 'registered',
    );
    return all ? 'registered' : 'registering';
  }
}
