/** An etcd within this process, for development and tests only. */
import { Server, ServerCredentials } from '@grpc/grpc-js';
import { argumentReader } from '../../core/values/value-reader.js';
import { wholeNumber } from '../../core/values/value-rule.js';
import { systemClock } from '../../registry/system-clock.js';
import { AuthBook, type Credentials } from './store/auth-book.js';
import { authService, clusterService, maintenanceService } from './services/cluster-service.js';
import { loadDataFile, saveDataFile } from './data-file.js';
import { Faults } from './faults.js';
import { kvService } from './services/kv-service.js';
import { leaseService } from './services/lease-service.js';
import { LISTEN_HOST, Listener } from './listener.js';
import { Member } from './member.js';
import { ServiceGate, type ServiceMethodsServed } from './services/service-gate.js';
import { DEFAULT_PROGRESS_NOTIFY_INTERVAL_MS, watchService } from './services/watch-service.js';
import { requireWaitMs } from './wait-time.js';
import { serviceDefinitions } from './wire/wire-codec.js';
import type { ServiceName } from './wire/wire-schema.js';

/**
 * The largest message that the server accepts, in bytes: etcd's request limit with its 512 KiB for overhead.
 */
const MAX_RECEIVE_BYTES = 2 * 1024 * 1024;

const PORT = wholeNumber(0, 65_535);

/** Options of {@link EmbeddedEtcd.start}. */
export interface EmbeddedEtcdOptions {
  /** The loopback port to listen on, 0–65535; 0, the default, is any free one. */
  readonly port?: number;
  /**
   * A file that `stop()` writes everything to and the next start reads, so that keys, history and leases
   * outlive the process. Without it, the default, they do not. A process that ends without `stop()` leaves
   * the file as it was.
   */
  readonly dataFile?: string;
  /**
   * The only user that may log in. By default every client may do everything and no client can authenticate,
   * as in an etcd without users.
   */
  readonly auth?: Credentials;
  /**
   * How often idle watchers that ask for it get the revision, in milliseconds, 1 or more, at most 24.8 days;
   * 600,000 by default, as in etcd.
   */
  readonly progressNotifyIntervalMs?: number;
}

/**
 * A server of etcd's v3 gRPC API in this process: KV, Lease, Watch, and the methods of Cluster, Maintenance
 * and Auth that clients use. It is **for development and tests only**: everything is in memory, in one
 * process, on the loopback interface, without TLS; it does not replace an etcd that must keep data or stay
 * up.
 *
 * ```ts
 * const etcd = await EmbeddedEtcd.start();
 * // DiscoveryModule.forRoot({ etcd: { hosts: etcd.hosts } })
 * etcd.faults.dropConnections();
 * await etcd.stop();
 * ```
 */
export class EmbeddedEtcd {
  private stopping: Promise<void> | undefined;

  private constructor(
    private readonly member: Member,
    private readonly listener: Listener,
    private readonly gate: ServiceGate,
    private readonly server: Server,
    private readonly dataFile: string | undefined,
    /** The faults that a test can cause. */
    readonly faults: Faults,
  ) {}

  /**
   * Starts a server; it answers once the promise is fulfilled.
   *
   * @throws DiscoveryError `INVALID_OPTION` for a port that is taken or out of range, or a data file that
   *   cannot be used, or other options that are out of range
   */
  static async start(options: EmbeddedEtcdOptions = {}): Promise<EmbeddedEtcd> {
    const { dataFile } = options;
    const port = argumentReader.optional('port', options.port, PORT) ?? 0;
    const progressIntervalMs = requireWaitMs(
      'progressNotifyIntervalMs',
      options.progressNotifyIntervalMs ?? DEFAULT_PROGRESS_NOTIFY_INTERVAL_MS,
      1,
    );
    const content = dataFile === undefined ? undefined : await loadDataFile(dataFile);
    const member = new Member(systemClock);
    const auth = new AuthBook(options.auth);
    const gate = new ServiceGate(systemClock, auth);
    const server = new Server({
      'grpc.max_receive_message_length': MAX_RECEIVE_BYTES,
      'grpc.enable_channelz': 0,
    });
    const injector = server.createConnectionInjector(ServerCredentials.createInsecure());
    const listener = new Listener(systemClock, (connection) =>
      injector.injectConnection(connection),
    );
    const faults = new Faults(member, listener, gate, auth);
    const etcd = new EmbeddedEtcd(member, listener, gate, server, dataFile, faults);
    const served: Readonly<Record<ServiceName, ServiceMethodsServed>> = {
      KV: kvService(member),
      Lease: leaseService(member, auth, gate),
      Watch: watchService(member, auth, systemClock, progressIntervalMs),
      Cluster: clusterService(member, () => etcd.hosts),
      Maintenance: maintenanceService(member, gate),
      Auth: authService(member, auth),
    };
    const definitions = serviceDefinitions();
    for (const name of Object.keys(served) as ServiceName[]) {
      server.addService(definitions[name], gate.implementation(name, served[name]));
    }
    await listener.listen(port);
    // This comes last: it starts the timers of leases, which would keep running if the port was taken.
    if (content !== undefined) member.restore(content);
    return etcd;
  }

  /** The port on which the server listens. */
  get port(): number {
    return this.listener.port;
  }

  /** The value for `etcd: { hosts }` of a client: `['http://127.0.0.1:PORT']`. */
  get hosts(): string[] {
    return [`http://${LISTEN_HOST}:${this.port}`];
  }

  /**
   * Ends the server: connections are cut, the port is free, the data file is written. A second call changes
   * nothing.
   *
   * @throws DiscoveryError `INVALID_OPTION` if the data file cannot be written any more
   */
  stop(): Promise<void> {
    this.stopping ??= this.shutDown();
    return this.stopping;
  }

  private async shutDown(): Promise<void> {
    const content = this.member.content();
    this.gate.close();
    await this.listener.end();
    this.server.forceShutdown();
    this.member.leases.clear();
    if (this.dataFile !== undefined) await saveDataFile(this.dataFile, content);
  }
}
