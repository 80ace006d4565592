/**
 * One connection through the fault proxy. It has two lanes, each of which passes on the bytes and the end of
 * one direction, or holds them in order.
 */
import { connect, type Socket } from 'node:net';

/** Which bytes are held: those from client to server, those from server to client, or both. */
export type StallDirection = 'both' | 'to-server' | 'to-client';

/** How many bytes one direction of a connection holds; with more, the sender is slowed down. */
const HELD_BYTES_LIMIT = 1024 * 1024;

/** One direction of one connection: passes on the bytes and the end of the stream, or holds them in order. */
class Lane {
  private readonly held: Buffer[] = [];
  private heldBytes = 0;
  private to: Socket | undefined;
  private end: 'open' | 'finished' | 'reset' = 'open';
  private endPassedOn = false;

  constructor(
    private readonly from: Socket,
    private stalled: boolean,
  ) {
    from.on('data', (chunk: Buffer) => this.take(chunk));
    from.on('end', () => this.finish('finished'));
    from.on('error', () => this.finish('reset'));
  }

  /** Sets the socket to which the bytes go, and sends what was held so far. */
  attach(to: Socket): void {
    this.to = to;
    to.on('drain', () => this.flush());
    this.flush();
  }

  setStalled(stalled: boolean): void {
    this.stalled = stalled;
    this.flush();
  }

  private take(chunk: Buffer): void {
    this.held.push(chunk);
    this.heldBytes += chunk.length;
    this.flush();
  }

  private finish(end: 'finished' | 'reset'): void {
    // A reset may follow an orderly end; nothing follows a reset.
    if (this.end === 'reset') return;
    this.end = end;
    this.endPassedOn = false;
    this.flush();
  }

  private flush(): void {
    if (this.to !== undefined && !this.stalled) {
      while (this.held.length > 0 && !this.to.writableNeedDrain) {
        const chunk = this.held.shift();
        if (chunk === undefined) break;
        this.heldBytes -= chunk.length;
        if (this.to.writable) this.to.write(chunk);
      }
      if (this.held.length === 0 && this.end !== 'open' && !this.endPassedOn) {
        this.endPassedOn = true;
        if (this.end === 'finished') this.to.end();
        else reset(this.to);
      }
    }
    if (this.heldBytes > HELD_BYTES_LIMIT) this.from.pause();
    else this.from.resume();
  }
}

/** A connection of a client and, unless it is only accepted, the connection to the server behind it. */
export class Link {
  private readonly toServer: Lane;
  private toClient: Lane | undefined;
  private server: Socket | undefined;

  /** @param onClose is called when one of the two sides has closed */
  constructor(
    private readonly client: Socket,
    stall: StallDirection | undefined,
    private readonly onClose: () => void,
  ) {
    client.setNoDelay(true);
    client.once('close', onClose);
    this.toServer = new Lane(client, holds(stall, 'to-server'));
  }

  get clientOpen(): boolean {
    return !this.client.closed;
  }

  /**
   * Whether nothing is left to pass on. The server's side may outlive the client while a stall hides from the
   * server that the client has left.
   */
  get over(): boolean {
    return !this.clientOpen && (this.server === undefined || this.server.closed);
  }

  /** Connects to the server behind the proxy, unless that was done before. */
  connectThrough(targetPort: number, stall: StallDirection | undefined): void {
    if (this.server !== undefined) return;
    const server = connect({
      host: '127.0.0.1',
      port: targetPort,
      allowHalfOpen: true,
      noDelay: true,
    });
    this.server = server;
    server.once('close', this.onClose);
    this.toClient = new Lane(server, holds(stall, 'to-client'));
    this.toServer.attach(server);
    this.toClient.attach(this.client);
  }

  stall(direction: StallDirection | undefined): void {
    this.toServer.setStalled(holds(direction, 'to-server'));
    this.toClient?.setStalled(holds(direction, 'to-client'));
  }

  /** Ends both sides with a reset, as a broken network path would. */
  destroy(): void {
    reset(this.client);
    if (this.server !== undefined) reset(this.server);
  }
}

/**
 * Resets a socket. While a socket is being shut down Node cannot reset it, and would never close it: the
 * process would hang at its end. Such a socket is destroyed.
 */
function reset(socket: Socket): void {
  if (socket.writableEnded && !socket.writableFinished) socket.destroy();
  else socket.resetAndDestroy();
}

function holds(stall: StallDirection | undefined, direction: StallDirection): boolean {
  return stall === 'both' || stall === direction;
}
