/** A connection that can be frozen and slowed down: what lies between a client's socket and the gRPC server. */
import type { Socket } from 'node:net';
import { Duplex } from 'node:stream';
import type { CancelTimer, Clock } from '../../core/clock.js';

interface HeldChunk {
  readonly chunk: Uint8Array;
  readonly dueMs: number;
}

/**
 * Passes bytes on both ways. Frozen, it reads and writes nothing, as the socket of a stopped process: the client's bytes
 * pile up in the kernel, and not even an HTTP/2 ping is answered. Delayed, every byte to the client comes later.
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
    // A reset is nothing to report: the session above learns that its connection is gone.
    socket.on('error', () => this.destroy());
    socket.on('close', () => this.destroy());
  }

  /** Stops passing bytes, both ways. */
  freeze(): void {
    this.frozen = true;
    this.socket.pause();
  }

  /** Passes on what was held, and goes on. */
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

  /** Writes what is due, in order, and waits for the rest. */
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
