/**
 * A TCP proxy on loopback for fault tests: it stands in front of a server's port and can cut the network,
 * hold the bytes of one or both directions, or accept connections that never get an answer. One fault at a
 * time.
 */
import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import { Link, type StallDirection } from './fault-link.js';
import { freePort } from './free-port.js';

export interface FaultProxyOptions {
  /** The port on 127.0.0.1 to which connections are passed on. No server needs to listen there yet. */
  readonly targetPort: number;
  /** The proxy's own port; a free port by default. */
  readonly port?: number;
}

/**
 * A running proxy. What it can do to the network between a client and `targetPort`:
 *
 * | call | new connections | open connections |
 * |---|---|---|
 * | `cut()` | refused | reset |
 * | `stall(direction)` | accepted and passed on, bytes held | stay open, bytes held |
 * | `acceptOnly()` | accepted, not passed on | untouched (`disconnect()` resets them) |
 * | `restore()`, `resume()` | passed on | go on: what was held is delivered in order |
 *
 * Held bytes include the end of a stream: while a direction is stalled, its receiver does not learn that the
 * sender has left. If no server listens on the target port, the client sees that its connection is reset.
 */
export class FaultProxy {
  private readonly links = new Set<Link>();
  private readonly watchers = new Set<() => void>();
  private server: Server | undefined;
  private stalled: StallDirection | undefined;
  private acceptingOnly = false;
  private acceptedCount = 0;

  private constructor(
    private readonly targetPort: number,
    /** The port on 127.0.0.1 that clients dial instead of the target's. A cut does not change it. */
    readonly port: number,
  ) {}

  /** Starts a proxy that passes on everything. */
  static async start(options: FaultProxyOptions): Promise<FaultProxy> {
    const proxy = new FaultProxy(options.targetPort, options.port ?? (await freePort()));
    await proxy.listen();
    return proxy;
  }

  /** How many connections clients have open to the proxy now. */
  get connections(): number {
    let open = 0;
    for (const link of this.links) if (link.clientOpen) open += 1;
    return open;
  }

  /** How many connections clients have made since the start, closed ones included. */
  get accepted(): number {
    return this.acceptedCount;
  }

  /** Resolves as soon as `count` connections are open at the same time. */
  connected(count: number): Promise<void> {
    return this.until(() => this.connections >= count);
  }

  /** Resolves as soon as clients have made `count` connections since the start, closed ones included. */
  acceptedAtLeast(count: number): Promise<void> {
    return this.until(() => this.acceptedCount >= count);
  }

  /** Resolves as soon as no client is connected. */
  disconnected(): Promise<void> {
    return this.until(() => this.connections === 0);
  }

  /**
   * Resets all connections and refuses new ones until `restore()`, like a dead machine whose router lives.
   */
  async cut(): Promise<void> {
    this.stalled = undefined;
    this.acceptingOnly = false;
    const server = this.server;
    this.server = undefined;
    const closed = server === undefined ? undefined : once(server, 'close');
    server?.close();
    this.disconnect();
    await closed;
    await this.until(() => this.links.size === 0);
  }

  /** Ends any fault; after a cut, listens on the same port again. */
  async restore(): Promise<void> {
    if (this.server === undefined) await this.listen();
    this.resume();
  }

  /** Resets every connection that is open now. New connections are treated as before. */
  disconnect(): void {
    for (const link of this.links) link.destroy();
  }

  /** Holds the bytes of open and new connections until `resume()`. */
  stall(direction: StallDirection = 'both'): void {
    this.mustListen('stall');
    this.resume();
    this.stalled = direction;
    for (const link of this.links) link.stall(direction);
  }

  /** Accepts new connections, and passes on none of them until `resume()`. Open connections go on. */
  acceptOnly(): void {
    this.mustListen('acceptOnly');
    this.resume();
    this.acceptingOnly = true;
  }

  /**
   * Ends a stall or `acceptOnly()`: delivers held bytes, and passes on connections that were only accepted.
   */
  resume(): void {
    this.mustListen('resume');
    this.stalled = undefined;
    this.acceptingOnly = false;
    for (const link of this.links) {
      link.stall(undefined);
      link.connectThrough(this.targetPort, undefined);
    }
  }

  /** Resets every connection and frees the port. */
  async stop(): Promise<void> {
    await this.cut();
  }

  private async listen(): Promise<void> {
    const server = createServer({ allowHalfOpen: true }, (client) => this.accept(client));
    this.server = server;
    server.listen(this.port, '127.0.0.1');
    await once(server, 'listening');
  }

  private accept(client: Socket): void {
    const link = new Link(client, this.stalled, () => {
      if (link.over) this.links.delete(link);
      this.changed();
    });
    this.links.add(link);
    // The proxy was cut before it could accept this connection.
    if (this.server === undefined) link.destroy();
    else if (!this.acceptingOnly) link.connectThrough(this.targetPort, this.stalled);
    this.acceptedCount += 1;
    this.changed();
  }

  private changed(): void {
    for (const watcher of this.watchers) watcher();
  }

  private until(condition: () => boolean): Promise<void> {
    return new Promise((resolve) => {
      const check = (): void => {
        if (!condition()) return;
        this.watchers.delete(check);
        resolve();
      };
      this.watchers.add(check);
      check();
    });
  }

  private mustListen(call: string): void {
    if (this.server === undefined)
      throw new Error(`${call}(): the proxy is cut; restore() it first`);
  }
}
