/**
 * Keeps the application's services in the registry exactly while it can serve them: from the moment when a
 * server is bound and the application is bootstrapped and ready, until the server closes, the application
 * shuts down or its readiness ends, whichever is first.
 */
import type { Server } from '@grpc/grpc-js';
import { Inject, Injectable, Logger } from '@nestjs/common';
import { BehaviorSubject, type Observable } from 'rxjs';
import { DiscoveryError } from '../../core/discovery-error.js';
import type { CallTracker } from '../../grpc/server/call-tracker.js';
import { limitConnectionAge } from '../../grpc/server/connection-age.js';
import type { Registration } from '../../registry/registration.js';
import { Registry } from '../../registry/registry.js';
import { systemClock } from '../../registry/system-clock.js';
import { abortableDelay } from '../shutdown/abortable-delay.js';
import { Announcements } from './announcements.js';
import { ApplicationReadiness } from './application-readiness.service.js';
import { DISCOVERY_OPTIONS } from '../discovery.tokens.js';
import { endServer } from './end-server.js';
import { ForceSignal } from '../shutdown/force-signal.js';
import { type BoundServer, GrpcServers, type GrpcServersListener } from './grpc-servers.service.js';
import { lateRegistrations } from './late-registrations.js';
import { type RegistrarState, type RegistrarStatus, stateOf } from './registrar-status.js';
import { ServiceAddresses } from './service-addresses.js';
import { checkPlacement, isOfferedAt } from './service-placement.js';
import { UnregisteredReminder } from './unregistered-reminder.js';
import type { ResolvedOptions } from '../options/validate-options.js';
import { DEFAULT_DRAIN_TIMEOUT_MS, type RecordUpdate } from '../options/validate-service.js';

export type { RegistrarState, RegistrarStatus };

/** Registers the services of this application, and removes them. Injectable, for status and control. */
@Injectable()
export class ServiceRegistrar implements GrpcServersListener {
  private readonly logger = new Logger('DiscoveryModule');
  private readonly subject = new BehaviorSubject<RegistrarStatus>({
    state: 'idle',
    registrations: [],
  });
  private readonly announcements: Announcements;
  private readonly addresses: ServiceAddresses;
  private readonly maxConnectionAgeMs: number | undefined;
  private readonly bound = new Set<BoundServer>();
  private readonly closing = new Map<BoundServer, Promise<void>>();
  private readonly reminder: UnregisteredReminder;
  private bootstrapped = false;
  private draining: Promise<void> | undefined;

  constructor(
    @Inject(DISCOVERY_OPTIONS) private readonly options: ResolvedOptions,
    @Inject(Registry) registry: Registry,
    @Inject(GrpcServers) private readonly servers: GrpcServers,
    @Inject(ApplicationReadiness) private readonly readiness: ApplicationReadiness,
    @Inject(ForceSignal) private readonly force: ForceSignal,
  ) {
    const ages = this.options.services.flatMap((one) => one.maxConnectionAgeMs ?? []);
    this.maxConnectionAgeMs = ages.length === 0 ? undefined : Math.min(...ages);
    this.announcements = new Announcements(registry, this.maxConnectionAgeMs, () => this.publish());
    this.addresses = new ServiceAddresses(this.options, (text) => this.logger.warn(text));
    this.reminder = new UnregisteredReminder(
      this.options.services,
      this.readiness,
      systemClock,
      (text) => this.logger.warn(text),
    );
    this.readiness.onChange(() => this.onReadiness());
    if (this.options.services.length > 0 || this.options.health) this.servers.follow(this);
  }

  get status(): RegistrarStatus {
    return this.subject.value;
  }

  /** The current status, then every change. */
  get status$(): Observable<RegistrarStatus> {
    return this.subject.asObservable();
  }

  /**
   * The first half of a shutdown, on demand: removes every record, registers nothing again, and gives clients
   * `drainDelayMs` to notice, while the servers go on serving. Resolves also when the registry did not answer
   * in time; never rejects. Further calls return the same promise.
   */
  drain(): Promise<void> {
    if (this.draining !== undefined) return this.draining;
    this.reminder.stop();
    // A registry may report each removal at once: it must find the status `draining`.
    this.draining = Promise.resolve()
      .then(() => this.announcements.withdraw(this.announcements.list()))
      .then(() => this.untilNoticed())
      .finally(() => this.publish('drained'));
    this.readiness.end();
    this.publish('draining');
    return this.draining;
  }

  /**
   * The whole shutdown of every server: removes the records, waits until clients have noticed, sends GOAWAY,
   * and lets calls finish; calls that still run after `drainTimeoutMs` end with an error. A further signal
   * skips the rest of the waiting.
   */
  shutDown(): Promise<void> {
    this.force.begin();
    return this.force.during(this.endServers());
  }

  private async endServers(): Promise<void> {
    await this.force.unlessForced(this.drain());
    await Promise.all([...this.bound].map((server) => this.onClosing(server)));
    // In a pure microservice `app.close()` closes the server before Nest calls this hook.
    await Promise.all(this.closing.values());
  }

  /**
   * Changes the content of the records at once: weight, version, zone, metadata fields (a field that is
   * `undefined` keeps its value). If nothing is registered at the moment, the next registration has the new
   * content.
   *
   * @param service the service whose records change; by default all services
   * @throws DiscoveryError `INVALID_OPTION`; `NOT_SERVING` if the application offers no such service
   */
  update(partial: RecordUpdate, service?: string): void {
    const affected = this.options.services.filter(
      ({ name }) => service === undefined || name === service,
    );
    if (affected.length === 0) {
      throw new DiscoveryError(
        'NOT_SERVING',
        `nothing to update: this application offers no service${service === undefined ? '' : ` "${service}"`}`,
      );
    }
    for (const one of affected) this.announcements.update(one, partial);
  }

  /** Call it when the application begins to initialize its modules; `onBootstrapped` follows after that. */
  onInitializing(): void {
    this.reminder.onInitializing();
  }

  /** Call it when every bootstrap hook of the application has run. More than one call is allowed. */
  async onBootstrapped(): Promise<void> {
    this.checkPlacement();
    this.bootstrapped = true;
    this.reminder.onBootstrapped();
    await this.readiness.start();
    await this.announce('start');
  }

  onCreating(): Promise<void> {
    return this.readiness.prepare();
  }

  onCreated(server: Server, calls: CallTracker): void {
    this.readiness.observe(server);
    const { maxConnectionAgeMs: maxAgeMs } = this;
    if (maxAgeMs === undefined) return;
    const graceMs = Math.max(...this.options.services.map((one) => one.maxConnectionAgeGraceMs));
    limitConnectionAge(server, calls, { maxAgeMs, graceMs }, systemClock, Math.random);
  }

  async onBound(server: BoundServer): Promise<void> {
    this.readiness.checkServices();
    // Before the bootstrap the application may still connect other servers.
    if (this.bootstrapped) this.checkPlacement();
    this.bound.add(server);
    this.reminder.onBound(server.addresses[0] ?? server.url);
    if (this.bootstrapped) await this.readiness.start();
    await this.announce('start');
  }

  onClosing(server: BoundServer): Promise<void> {
    const known = this.closing.get(server);
    if (known !== undefined) return known;
    const closing = this.close(server);
    this.closing.set(server, closing);
    if (this.bound.size === 0) {
      this.force.begin();
      // Servers that were closed one by one may still wait for their calls: a second signal ends that wait
      // too.
      void this.force.during(Promise.allSettled(this.closing.values()));
    }
    return closing;
  }

  private async close(server: BoundServer): Promise<void> {
    this.bound.delete(server);
    if (this.bound.size === 0) this.readiness.end();
    this.announcements.handOver(server, this.bound);
    const withdrawn = this.announcements.withdraw(this.announcements.list(server));
    // Another server may now register under a key from the options.
    this.announceAfter(withdrawn);
    await this.force.unlessForced(withdrawn.then(() => this.untilNoticed()));
    const timeouts = this.options.services.map((service) => service.drainTimeoutMs);
    const timeoutMs = timeouts.length === 0 ? DEFAULT_DRAIN_TIMEOUT_MS : Math.max(...timeouts);
    await endServer(server, timeoutMs, this.force.signal, (text) => this.logger.warn(text));
  }

  /** Waits until clients have had `drainDelayMs` since the last record was removed. */
  private untilNoticed(): Promise<void> {
    const delayMs = Math.max(0, ...this.options.services.map((service) => service.drainDelayMs));
    const restMs = this.announcements.lastWithdrawalMs + delayMs - performance.now();
    return abortableDelay(restMs, this.force.signal);
  }

  private onReadiness(): void {
    const withdrawn = this.readiness.isReady
      ? Promise.resolve()
      : this.announcements.withdraw(this.announcements.list());
    this.announceAfter(withdrawn);
  }

  private announceAfter(withdrawn: Promise<void>): void {
    withdrawn
      .then(() => this.announce())
      .catch((error: unknown) => this.logger.error(String(error)));
  }

  /** @param occasion only a start can fail fast; a running server retries without end */
  private async announce(occasion: 'start' | 'change' = 'change'): Promise<void> {
    const fresh: Registration[] = [];
    for (const server of this.bound) {
      for (const service of this.options.services) {
        if (!isOfferedAt(service, server)) continue;
        const address = await this.addresses.of(service, server);
        // Checked only here, because the state may have changed during the look-up of the address.
        if (!this.mayAnnounce()) return;
        if (!this.bound.has(server) || this.announcements.has(service, server, address)) continue;
        this.reminder.stop();
        fresh.push(this.announcements.add(service, server, address).registration);
      }
    }
    await this.untilRegistered(fresh, occasion === 'start' && this.options.failFast);
  }

  private checkPlacement(): void {
    checkPlacement(this.options.services, this.servers.all, (text) => {
      if (!this.bootstrapped) this.logger.warn(text);
    });
  }

  private mayAnnounce(): boolean {
    return this.bootstrapped && this.readiness.isReady && this.draining === undefined;
  }

  /** Waits a limited time for the registrations; they continue in the background after that. */
  private async untilRegistered(fresh: readonly Registration[], failFast: boolean): Promise<void> {
    const late = await lateRegistrations(fresh, this.options.etcd?.requestTimeoutMs);
    if (late === undefined) return;
    const { text, cause } = late;
    if (!failFast) {
      this.logger.warn(`${text}; the server runs, and registration goes on until it succeeds.`);
      return;
    }
    await this.drain();
    throw new DiscoveryError('REGISTRY_UNAVAILABLE', `${text}, and failFast is set`, { cause });
  }

  private publish(state: RegistrarState = this.currentState()): void {
    this.subject.next({ state, registrations: this.announcements.statuses });
  }

  private currentState(): RegistrarState {
    if (this.draining !== undefined) {
      return this.status.state === 'drained' ? 'drained' : 'draining';
    }
    return stateOf(this.announcements.statuses);
  }
}
