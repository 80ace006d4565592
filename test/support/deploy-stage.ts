/**
 * A fleet of servers that is deployed while clients call it: what the tests of deploys and their bench have
 * in common, for Nest and for Go.
 */
import {
  asTally,
  type ClientOptions,
  finalTally,
  type ServerOptions,
  type Side,
  startClient,
  startServer,
  type Tally,
} from '../interop/fleet.js';
import type { EventProcess } from './event-process.js';

/** How a server is ended: by a signal, or by `app.close()` from inside (Nest only). */
export type Ending = NodeJS.Signals | 'close';

/** Many calls at a time without a pause: for measurements, because it needs the whole machine. */
export const FULL_SPEED: ClientOptions = { forever: true, concurrency: 32, intervalMs: 0 };
/** 32 calls at a time, with a pause of 100 ms after each: the default load of the tests. */
const STEADY: ClientOptions = { ...FULL_SPEED, intervalMs: 100 };

/** One service, its servers and its clients. */
export class DeployStage {
  readonly servers: EventProcess[] = [];
  private readonly clients: EventProcess[] = [];
  private started = 0;

  constructor(
    private readonly side: Side,
    private readonly etcd: string,
    private readonly service: string,
    private readonly serverOptions: Omit<ServerOptions, 'id'> = {},
    /** The calls that the clients of this stage make by default. */
    private readonly load: ClientOptions = STEADY,
  ) {}

  /** Starts one or more further servers and waits until they are registered. */
  async grow(count = 1, options: Omit<ServerOptions, 'id'> = {}): Promise<void> {
    const added = Array.from({ length: count }, () => this.start(options));
    this.servers.push(...(await Promise.all(added)));
  }

  /** Starts clients and waits until every server has answered each of them. */
  async call(...clients: readonly ClientOptions[]): Promise<EventProcess[]> {
    const started = await Promise.all(
      clients.map((options) =>
        startClient(this.side, this.etcd, this.service, {
          ...this.load,
          warm: this.servers.length,
          ...options,
        }),
      ),
    );
    this.clients.push(...started);
    await Promise.all(started.map((client) => client.waitForEvent('warm')));
    await this.calls(1);
    return started;
  }

  /** Waits until every client has finished `count` further calls. */
  async calls(count: number): Promise<void> {
    await Promise.all(
      this.clients.map(async (client) => {
        const before = asTally(await client.nextEvent('tick')).calls;
        await client.nextEvent(
          (event) => event.event === 'tick' && asTally(event).calls >= before + count,
        );
      }),
    );
  }

  /** Ends one server and starts another in its place; on the same port if `options` name one. */
  async restart(
    index: number,
    ending: Ending,
    options: Omit<ServerOptions, 'id'> = {},
  ): Promise<void> {
    await this.end(this.at(index), ending);
    this.servers[index] = await this.start(options);
  }

  /** Ends servers, the last ones first, until `count` are left. */
  async shrink(count: number, ending: Ending): Promise<void> {
    await Promise.all(this.servers.splice(count).map((server) => this.end(server, ending)));
  }

  at(index: number): EventProcess {
    const server = this.servers[index];
    if (server === undefined) throw new Error(`there is no server ${index}`);
    return server;
  }

  /** Stops the clients and returns what each of them counted. */
  async finish(): Promise<Tally[]> {
    const clients = this.clients.splice(0);
    for (const client of clients) client.kill('SIGTERM');
    return Promise.all(clients.map(finalTally));
  }

  /** Stops all servers and clients that still run. */
  async clear(): Promise<void> {
    await Promise.all([...this.clients, ...this.servers].map((process) => process.stop()));
    this.clients.length = 0;
    this.servers.length = 0;
  }

  private async end(server: EventProcess, ending: Ending): Promise<void> {
    server.kill(ending === 'close' ? 'SIGUSR2' : ending);
    await server.exit;
  }

  private start(options: Omit<ServerOptions, 'id'>): Promise<EventProcess> {
    this.started += 1;
    return startServer(this.side, this.etcd, this.service, {
      id: `${this.side}-${this.started}`,
      ...this.serverOptions,
      ...options,
    });
  }
}
