/** A connection that can be frozen and delayed, between a client's socket and the gRPC server. */
import type { Socket } from 'node:net';
import { Duplex } from 'node:stream';
import type { CancelTimer, Clock } from '../../core/clock.js';

interface HeldChunk {
  readonly chunk: Uint8Array;
  readonly dueMs: number;
}

/**
 * Passes bytes on in both directions. A frozen connection reads and writes nothing, like the socket of a
 * stopped process: the client's bytes pile up in the kernel, and even HTTP/2 pings get no answer. A delayed
 * connection passes every byte to the client later.
 */
export class FaultSocket extends Duplex {
  private frozen = false;
  private delayMs = 0;
  private held: HeldChunk[] = [];
  private cancelTimer: CancelTimer | undefined;
  private ending: (() => void) | undefined;

  constructor(
    private readonly socket: Socket,
    private readonly clock: Clock,
  ) {
    super({ allowHalfOpen: false });
    socket.setNoDelay(true);
    socket.on('data', (chunk: Buffer) => {
      if (!this.push(chunk)) socket.pause();
    });
    socket.on('end', () => this.push(null));
    // A reset is not reported: the HTTP/2 session sees that its connection has closed.
    socket.on('error', () => this.destroy());
    socket.on('close', () => this.destroy());
  }

  /** Stops passing bytes, in both directions. */
  freeze(): void {
    this.frozen = true;
    this.socket.pause();
  }

  /** Passes on the bytes that were held, and resumes. */
  thaw(): void {
    this.frozen = false;
    this.flush();
    this.socket.resume();
  }

  /** Delays what is written from now on; 0 ends it. */
  delay(delayMs: number): void {
    this.delayMs = delayMs;
  }

  override _read(): void {
    if (!this.frozen) this.socket.resume();
  }

  override _write(
    chunk: Uint8Array,
    _encoding: BufferEncoding,
    done: (error?: Error) => void,
  ): void {
    if (!this.frozen && this.delayMs === 0 && this.held.length === 0) {
      this.socket.write(chunk, () => done());
      return;
    }
    // A copy: the HTTP/2 session uses its buffer again once the write is done.
    const held = { chunk: Uint8Array.from(chunk), dueMs: this.clock.now() + this.delayMs };
    this.held.push(held);
    this.flush();
    done();
  }

  override _final(done: (error?: Error) => void): void {
    this.ending = () => {
      this.socket.end();
      done();
    };
    this.flush();
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.cancelTimer?.();
    this.held = [];
    this.socket.destroy();
    done(error);
  }

  /** Writes the chunks that are due, in order, and sets a timer for the rest. */
  private flush(): void {
    this.cancelTimer?.();
    this.cancelTimer = undefined;
    if (this.frozen) return;
    const now = this.clock.now();
    while (this.held[0] !== undefined && this.held[0].dueMs <= now) {
      this.socket.write((this.held.shift() as HeldChunk).chunk);
    }
    const [next] = this.held;
    if (next !== undefined) {
      this.cancelTimer = this.clock.setTimer(Math.ceil(next.dueMs - now), () => this.flush());
    } else if (this.ending !== undefined) {
      const { ending } = this;
      this.ending = undefined;
      ending();
    }
  }
}
