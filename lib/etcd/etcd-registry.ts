/**
 * The registry on etcd: it writes Go's records under leases that it keeps alive, and watches the records of
 * services.
 */
import { Observable, Subject, type Subscription } from 'rxjs';
import type { Clock, Random } from '../core/clock.js';
import { DiscoveryError } from '../core/discovery-error.js';
import type { DiscoveryEvent, RegistrationEvent } from '../core/discovery-event.js';
import { decodeDialableRecord } from '../core/records/dialable-record.js';
import { encodeEndpoint } from '../core/records/endpoint-codec.js';
import { type Endpoint, isDraining } from '../core/records/endpoint.js';
import {
  recordKey,
  serviceConfigKey,
  serviceConfigPrefix,
  servicePrefix,
} from '../core/records/record-key.js';
import type { RegistryUpdate } from '../core/snapshot/registry-update.js';
import { argumentReader } from '../core/values/value-reader.js';
import { checkRegistration } from '../registry/check-registration.js';
import type { Registration, RegistrationRequest } from '../registry/registration.js';
import { Registry } from '../registry/registry.js';
import { systemClock } from '../registry/system-clock.js';
import { EtcdConnection } from './connection/etcd-connection.js';
import type { EtcdOptions } from './etcd-options.js';
import { EtcdRegistration } from './lease/etcd-registration.js';
import { type ResolvedTimings, resolveTimings } from './etcd-timings.js';
import {
  areAlike,
  describeMemberUrls,
  MEMBER_URL_ALLOWED,
  parseMemberUrl,
} from './connection/member-url.js';
import { LeaseKeeper } from './lease/lease-keeper.js';
import type { EtcdEntry } from './watch/prefix-replies.js';
import type { DecodedEntry } from './watch/decoded-records.js';
import { PrefixWatch, type PrefixWatchOptions } from './watch/prefix-watch.js';
import { decodeServiceConfig, ServiceConfigWatch } from './watch/service-config-watch.js';

/** Time and randomness, for tests. */
export interface EtcdRegistryPorts {
  readonly clock?: Clock;
  readonly random?: Random;
}

/**
 * Registers and finds services in an etcd cluster. Nothing is dialled before the first registration or watch.
 * All records of one registry with the same time to live share one lease.
 */
export class EtcdRegistry extends Registry {
  readonly scheme = 'etcd';
  private readonly namespace: string;
  private readonly clock: Clock;
  private readonly random: Random;
  private readonly timings: ResolvedTimings;
  private readonly connection: EtcdConnection;
  private readonly back: Subscription;
  private readonly events = new Subject<DiscoveryEvent>();
  private readonly keepers = new Map<number, LeaseKeeper>();
  /** The open watches, each with its service. */
  private readonly watches = new Map<AnyWatch, string>();
  private readonly serviceConfigs = new ServiceConfigWatch((onUpdate) =>
    this.open({
      prefix: serviceConfigPrefix(this.namespace),
      decode: decodeServiceConfig,
      onUpdate,
      // This watch reports no event: the watches on endpoints report what happens to etcd, and a client
      // without permission for the configs runs without a config.
      onEvent: () => {},
    }),
  );
  private readonly registrations = new Map<string, EtcdRegistration>();
  private closing: Promise<void> | undefined;

  /** @throws DiscoveryError `INVALID_OPTION` if `hosts` is empty, or an entry is not the URL of a member */
  constructor(given: EtcdOptions, ports: EtcdRegistryPorts = {}) {
    super();
    const options = { ...given, hosts: memberUrls(given) };
    this.namespace = options.namespace ?? '';
    this.clock = ports.clock ?? systemClock;
    this.random = ports.random ?? Math.random;
    this.timings = resolveTimings(options.timings);
    this.connection = new EtcdConnection(options, {
      clock: this.clock,
      random: this.random,
      onEvent: (event) => this.events.next(event),
    });
    this.back = this.connection.back$.subscribe(() => {
      for (const keeper of this.keepers.values()) keeper.verify();
      for (const watch of this.watches.keys()) watch.verify();
    });
  }

  override watch(service: string): Observable<RegistryUpdate> {
    return new Observable((subscriber) =>
      this.open({
        prefix: servicePrefix(this.namespace, service),
        service,
        decode: decodeRecord,
        isLeaving: isDraining,
        onUpdate: (update) => subscriber.next(update),
        onEvent: (event) => this.events.next(event),
      }),
    );
  }

  override watchServiceConfig(service: string): Observable<string | undefined> {
    return this.serviceConfigs.follow(serviceConfigKey(this.namespace, service));
  }

  override register(request: RegistrationRequest): Registration {
    checkRegistration(request);
    const { service, endpoint, ttlSeconds } = request;
    const key = recordKey(this.namespace, service, request.key ?? endpoint.address);
    const value = encodeEndpoint(endpoint);
    if (this.closing !== undefined) {
      throw new DiscoveryError('CLOSED', `"${key}" cannot be registered: the registry is closed`);
    }
    const keeper = this.keeper(ttlSeconds);
    const registration = new EtcdRegistration(
      { state: 'registering', service, key, address: endpoint.address },
      (next) => keeper.want(key, encodeEndpoint(next)),
      async () => {
        await keeper.unwant(key);
        if (this.registrations.get(key) === registration) this.registrations.delete(key);
      },
    );
    this.registrations.set(key, registration);
    keeper.want(key, value);
    return registration;
  }

  override refresh(service: string): void {
    // A hint comes with every connection that breaks, but while etcd is away only the probe sends requests.
    if (this.connection.isDown) return;
    for (const [watch, watched] of this.watches) if (watched === service) watch.wake();
  }

  override get events$(): Observable<DiscoveryEvent> {
    return this.events.asObservable();
  }

  override describe(service: string): string {
    return `etcd prefix "${servicePrefix(this.namespace, service)}"`;
  }

  override close(hurry?: AbortSignal): Promise<void> {
    // After the abort no further request starts. A request in flight keeps the process alive, until its
    // deadline at the latest.
    hurry?.addEventListener('abort', () => this.connection.close(), { once: true });
    this.closing ??= this.end();
    return this.closing;
  }

  private async end(): Promise<void> {
    for (const watch of this.watches.keys()) watch.stop();
    this.watches.clear();
    await Promise.all([...this.keepers.values()].map((keeper) => keeper.stop()));
    for (const registration of this.registrations.values()) registration.ended();
    this.back.unsubscribe();
    this.connection.close();
    this.events.complete();
  }

  /** Starts a watch; returns the function that stops it. */
  private open<Value>(
    what: Pick<
      PrefixWatchOptions<Value>,
      'prefix' | 'decode' | 'isLeaving' | 'onUpdate' | 'onEvent'
    > & {
      readonly service?: string;
    },
  ): () => void {
    const { connection, clock, random, timings } = this;
    const watch = new PrefixWatch<Value>({ connection, clock, random, timings, ...what });
    this.watches.set(watch, what.service ?? '');
    watch.start();
    return () => {
      this.watches.delete(watch);
      watch.stop();
    };
  }

  private keeper(ttlSeconds: number): LeaseKeeper {
    const known = this.keepers.get(ttlSeconds);
    if (known !== undefined) return known;
    const keeper = new LeaseKeeper({
      connection: this.connection,
      clock: this.clock,
      random: this.random,
      timings: this.timings,
      ttlSeconds,
      onEvent: (event) => {
        for (const registration of this.affected(keeper, event)) registration.observe(event);
        this.events.next(event);
      },
    });
    this.keepers.set(ttlSeconds, keeper);
    return keeper;
  }

  /** The registrations that an event is about: that of its key, or all under the keeper's lease. */
  private affected(keeper: LeaseKeeper, event: RegistrationEvent): EtcdRegistration[] {
    if ('key' in event) {
      const registration = this.registrations.get(event.key);
      return registration === undefined ? [] : [registration];
    }
    return [...this.registrations].flatMap(([key, registration]) =>
      keeper.holds(key) ? [registration] : [],
    );
  }
}

function memberUrls({ hosts, client }: EtcdOptions): readonly string[] {
  if (client !== undefined) return [];
  const urls = Array.isArray(hosts) ? hosts.map((host) => parseMemberUrl(String(host))) : [];
  const known = urls.filter((url) => url !== undefined);
  if (known.length > 0 && known.length === urls.length && areAlike(known)) return known;
  const allowed = `an array with at least one ${MEMBER_URL_ALLOWED}`;
  return argumentReader.refuse('hosts', describeMemberUrls(hosts), allowed);
}

/** A watch on values of any type. */
type AnyWatch = Pick<PrefixWatch<unknown>, 'wake' | 'verify' | 'stop'>;

function decodeRecord({ value, lease }: EtcdEntry): DecodedEntry<Endpoint> {
  const decoded = decodeDialableRecord(value);
  return decoded.ok ? { ok: true, value: { ...decoded.endpoint, incarnation: lease } } : decoded;
}
