/**
 * A fleet of servers and one client under constant load, each in a process of its own, and a reader that sees
 * what etcd has.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { Etcd3 } from 'etcd3';
import { startGo } from '../interop/go-program.js';
import { startApp } from './child-app.js';
import type { EventProcess, ProcessEvent } from './event-process.js';

export interface FaultFleetOptions {
  /** The hosts that the servers and the client dial. */
  readonly hosts: readonly string[];
  /** The hosts from which the reader reads; by default `hosts`. */
  readonly readerHosts?: readonly string[];
  readonly side?: 'nest' | 'go';
  readonly service?: string;
  readonly servers?: number;
  readonly ttlSeconds?: number;
  /** Further fields of `etcd`, for Nest only. The reader uses its users and TLS too. */
  readonly etcdOptions?: {
    readonly auth?: { readonly username: string; readonly password: string };
    readonly tls?: { readonly ca: string };
    readonly [field: string]: unknown;
  };
  /** Further options of the client's `forRoot`, for Nest only. */
  readonly rootOptions?: object;
  /** Calls per second. Default 100, which a busy machine can do beside other tests. */
  readonly rate?: number;
  /**
   * The deadline of a unary call in milliseconds, for Nest only. Default 30,000, so long that a test sees
   * calls that hang.
   */
  readonly callTimeoutMs?: number;
}

/** The resources that a Nest process holds. */
export interface ResourceFigures {
  readonly heapMb?: number;
  /** The number of active handles and requests. */
  readonly handles?: number;
  /** How many of the handles are TCP sockets. */
  readonly sockets?: number;
}

/** What the client reports every 100 ms; a Go client reports less. */
export interface FaultTick extends ProcessEvent, ResourceFigures {
  readonly calls: number;
  readonly failed: number;
  readonly byServer: Readonly<Record<string, number>>;
  readonly byCode: Readonly<Record<string, number>>;
  readonly lastError?: string;
  /** How many failed calls began after the first failed call had ended. */
  readonly lateFailures?: number;
  readonly stream?: { readonly server: string; readonly broken: number; readonly why: string };
  readonly list?: readonly string[];
  readonly held?: readonly string[];
  readonly away?: boolean;
  readonly savedAt?: number;
}

/** The fleet. `stopEventProcesses` ends its processes, `close` its reader. */
export class FaultFleet {
  readonly servers: EventProcess[] = [];
  private readonly reader: Etcd3;
  private clientProcess: EventProcess | undefined;

  constructor(readonly options: FaultFleetOptions) {
    const hosts = [...(options.readerHosts ?? options.hosts)];
    const faultHandling = { host: () => noPolicy, global: noPolicy } as never;
    const { auth, tls } = options.etcdOptions ?? {};
    this.reader = new Etcd3({
      hosts,
      faultHandling,
      defaultCallOptions: soon,
      ...(auth === undefined ? {} : { auth }),
      ...(tls === undefined ? {} : { credentials: { rootCertificate: Buffer.from(tls.ca) } }),
    });
  }

  /** Starts servers and a client; resolves once all are registered and the client has called each server. */
  static async start(options: FaultFleetOptions): Promise<FaultFleet> {
    const fleet = new FaultFleet(options);
    const { servers = 3 } = options;
    await Promise.all(Array.from({ length: servers }, (_, index) => fleet.addServer(`s${index}`)));
    await fleet.startClient();
    await fleet.client.waitForEvent(
      (event) =>
        event.event === 'tick' && Object.keys((event as FaultTick).byServer).length === servers,
    );
    return fleet;
  }

  get client(): EventProcess {
    if (this.clientProcess === undefined) throw new Error('the fleet has no client');
    return this.clientProcess;
  }

  get service(): string {
    return this.options.service ?? 'api';
  }

  /** Starts a server and waits until it is registered, or until it reports the event `waitFor`. */
  async addServer(id: string, waitFor?: string): Promise<EventProcess> {
    const { hosts, side, ttlSeconds = 10, etcdOptions = {} } = this.options;
    if (side === 'go') {
      const server = await startGo('server', hosts.join(), this.service, { id, ttl: ttlSeconds });
      this.servers.push(server);
      await server.waitForEvent('registered');
      return server;
    }
    const server = await startApp(
      'fault-server',
      {
        ETCD_HOSTS: hosts.join(','),
        SERVICE: this.service,
        SERVER_ID: id,
        TTL_SECONDS: String(ttlSeconds),
        ETCD_OPTIONS: JSON.stringify(etcdOptions),
      },
      { nodeFlags: ['--expose-gc'] },
    );
    this.servers.push(server);
    await server.waitForEvent(waitFor ?? 'listening');
    return server;
  }

  async startClient(): Promise<EventProcess> {
    const { hosts, side, etcdOptions = {}, rootOptions = {} } = this.options;
    const { rate = 100, callTimeoutMs = 30_000 } = this.options;
    this.clientProcess =
      side === 'go'
        ? await startGo('client', hosts.join(), this.service, {
            forever: true,
            warm: this.options.servers ?? 3,
            'interval-ms': Math.round(1000 / rate),
          })
        : await startApp(
            'fault-client',
            {
              ETCD_HOSTS: hosts.join(','),
              SERVICE: this.service,
              RATE: String(rate),
              TIMEOUT_MS: String(callTimeoutMs),
              ETCD_OPTIONS: JSON.stringify(etcdOptions),
              ROOT_OPTIONS: JSON.stringify(rootOptions),
            },
            { nodeFlags: ['--expose-gc'] },
          );
    return this.clientProcess;
  }

  /** The client's next tick, or its next tick that fulfils the condition. */
  async tick(
    condition: (tick: FaultTick) => boolean = () => true,
    timeoutMs?: number,
  ): Promise<FaultTick> {
    const event = await this.client.nextEvent(
      (event) => event.event === 'tick' && condition(event as FaultTick),
      timeoutMs,
    );
    return event as FaultTick;
  }

  /** The resources that all servers together hold after a garbage collection, for Nest only. */
  async serverResources(): Promise<Required<ResourceFigures>> {
    const sum = { heapMb: 0, handles: 0, sockets: 0 };
    const figures = this.servers.map(async (server) => {
      const said = server.nextEvent('resources');
      server.kill('SIGUSR2');
      const { heapMb = 0, handles = 0, sockets = 0 } = (await said) as ResourceFigures;
      sum.heapMb += heapMb;
      sum.handles += handles;
      sum.sockets += sockets;
    });
    await Promise.all(figures);
    return sum;
  }

  /** The keys of the service in etcd now; `undefined` if etcd does not answer. */
  async keys(): Promise<string[] | undefined> {
    try {
      return await this.reader.getAll().prefix(`${this.service}/`).keys();
    } catch {
      return undefined;
    }
  }

  /**
   * How many records of the service have a lease, as those of servers have; `undefined`: etcd does not
   * answer.
   */
  async records(): Promise<number | undefined> {
    const key = Buffer.from(`${this.service}/`);
    const range_end = Buffer.from(`${this.service}0`);
    try {
      const { kvs } = await this.reader.kv.range({ key, range_end });
      return kvs.filter(({ lease }) => lease !== '0').length;
    } catch {
      return undefined;
    }
  }

  /** In how many milliseconds from now etcd has `count` records; `undefined` if not within `timeoutMs`. */
  async untilRecords(count: number, timeoutMs = 60_000): Promise<number | undefined> {
    return this.until(async () => (await this.records()) === count, timeoutMs);
  }

  /** Waits until every server reports that it is registered, for Nest only. */
  async untilRegistered(): Promise<void> {
    while (!this.servers.every(isRegistered)) await delay(20);
  }

  /** In how many milliseconds the client has the registry's list, with `count` endpoints; for Nest only. */
  async untilList(count: number, timeoutMs = 60_000): Promise<number | undefined> {
    const started = performance.now();
    const isRight = ({ list = [], held = [], away, savedAt }: FaultTick): boolean =>
      list.length === count && held.length === 0 && away === false && savedAt === undefined;
    try {
      await this.tick(isRight, timeoutMs);
      return performance.now() - started;
    } catch {
      return undefined;
    }
  }

  private async until(
    condition: () => Promise<boolean>,
    timeoutMs: number,
  ): Promise<number | undefined> {
    const started = performance.now();
    while (performance.now() - started < timeoutMs) {
      if (await condition()) return performance.now() - started;
      await delay(20);
    }
    return undefined;
  }

  /** The reader's client, with which a test writes and deletes what no server expects. */
  get etcd(): Etcd3 {
    return this.reader;
  }

  close(): void {
    this.reader.close();
  }
}

const isRegistered = ({ events }: EventProcess): boolean =>
  events.findLast(({ event }) => event === 'status')?.['state'] === 'registered';

const soon = (): { deadline: number } => ({ deadline: Date.now() + 1_000 });

/** Makes one attempt only, without a circuit breaker: the reader must see the present state of etcd. */
const noPolicy = {
  execute: async (run: (context: { signal: AbortSignal }) => unknown) =>
    run({ signal: new AbortController().signal }),
};
