/** The loopback port of the embedded server; faults can freeze, delay and drop its connections. */
import { type Server, createServer } from 'node:net';
import type { Duplex } from 'node:stream';
import type { Clock } from '../../core/clock.js';
import { DiscoveryError } from '../../core/discovery-error.js';
import { FaultSocket } from './fault-socket.js';

/** The only address on which the embedded server listens. */
export const LISTEN_HOST = '127.0.0.1';

/** Accepts connections on one port and hands them on. */
export class Listener {
  private server: Server | undefined;
  private starting: Promise<void> | undefined;
  private ended = false;
  private readonly connections = new Set<FaultSocket>();
  private frozen = false;
  private delayMs = 0;
  private boundPort = 0;

  /** @param accept takes each connection */
  constructor(
    private readonly clock: Clock,
    private readonly accept: (connection: Duplex) => void,
  ) {}

  /** The current or the last port; 0 before the first one is bound. */
  get port(): number {
    return this.boundPort;
  }

  /** Whether it accepts connections. */
  get listening(): boolean {
    return this.server !== undefined;
  }

  /**
   * Binds a port; 0 is any free one. A call during another one waits for that one, and binds no port itself.
   *
   * @throws DiscoveryError `INVALID_OPTION` if it is taken or may not be bound, `CLOSED` after {@link end}
   */
  async listen(port: number): Promise<void> {
    if (this.ended)
      throw new DiscoveryError('CLOSED', 'the embedded etcd is stopped: start another');
    this.starting ??= this.bind(port).finally(() => {
      this.starting = undefined;
    });
    await this.starting;
  }

  private async bind(port: number): Promise<void> {
    const server = createServer((socket) => {
      const connection = new FaultSocket(socket, this.clock);
      this.connections.add(connection);
      connection.once('close', () => this.connections.delete(connection));
      connection.delay(this.delayMs);
      if (this.frozen) connection.freeze();
      this.accept(connection);
    });
    await new Promise<void>((resolve, reject) => {
      server.once('error', (error: NodeJS.ErrnoException) => reject(bindError(port, error)));
      server.listen(port, LISTEN_HOST, resolve);
    });
    const address = server.address();
    if (address !== null && typeof address === 'object') this.boundPort = address.port;
    this.server = server;
  }

  /** Refuses new connections and drops the open ones. */
  async close(): Promise<void> {
    // A port that is being bound would stay open otherwise; `listen` reports a failure to its own caller.
    if (this.starting !== undefined) await Promise.allSettled([this.starting]);
    const { server } = this;
    this.server = undefined;
    const closed = new Promise<void>((resolve) => {
      if (server === undefined) resolve();
      else server.close(() => resolve());
    });
    this.dropConnections();
    await closed;
  }

  /** Closes the port for good: {@link listen} fails from now on. */
  async end(): Promise<void> {
    this.ended = true;
    await this.close();
  }

  /** Cuts every connection. */
  dropConnections(): void {
    for (const connection of this.connections) connection.destroy();
  }

  /** Accepts connections but passes no byte. */
  freeze(): void {
    this.frozen = true;
    for (const connection of this.connections) connection.freeze();
  }

  /** Passes bytes again. */
  thaw(): void {
    this.frozen = false;
    for (const connection of this.connections) connection.thaw();
  }

  /** Delays every byte to clients by `delayMs` milliseconds. */
  delay(delayMs: number): void {
    this.delayMs = delayMs;
    for (const connection of this.connections) connection.delay(delayMs);
  }
}

function bindError(port: number, error: NodeJS.ErrnoException): DiscoveryError {
  const reason =
    error.code === 'EADDRINUSE'
      ? 'is taken by another process'
      : `cannot be bound (${error.message})`;
  const detail = `port: ${LISTEN_HOST}:${port} ${reason}, the embedded etcd was not started; 0 takes any free port`;
  return new DiscoveryError('INVALID_OPTION', detail, { cause: error });
}
