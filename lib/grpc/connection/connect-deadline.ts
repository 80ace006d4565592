/**
 * Gives up on attempts to connect that take too long: a peer that accepts and says nothing would have gRPC wait for ever. The attempt
 * is broken off where it can be, which counts as one that failed; else it is abandoned, and another follows with backoff.
 */
import { backoffDelayMs, type BackoffPolicy } from '../../core/backoff.js';
import type { CancelTimer, Clock, Random } from '../../core/clock.js';
import { breakOffHandshake, type Subchannel } from '../grpc-js/grpc-experimental.js';

/** Between attempts that were abandoned and not broken off: the subchannel's own backoff does not see those. */
const ABANDONED_BACKOFF: BackoffPolicy = { baseMs: 1_000, capMs: 30_000, floorMs: 500 };

/** What the deadline is about, and what it can have done. */
export interface DeadlineHost {
  readonly clock: Clock;
  readonly random: Random;
  /** How long an attempt may take, in milliseconds; read at each. */
  readonly limits: { readonly connectTimeoutMs: number };
  /** What is being connected. */
  current(): Subchannel | undefined;
  /** Lets go of the attempt under way, as failed. */
  abandon(): void;
  /** Begins another. */
  dial(): void;
}

/** The deadline of one endpoint's attempts. */
export class ConnectDeadline {
  private cancelTimer: CancelTimer | undefined;
  private abandoned = 0;
  private isBrokenOff = false;

  constructor(private readonly host: DeadlineHost) {}

  /** An attempt has begun. */
  start(): void {
    const { clock, limits } = this.host;
    this.stop();
    this.cancelTimer = clock.setTimer(limits.connectTimeoutMs, () => this.giveUp());
  }

  /** Nothing is under way any more, nor to be begun. */
  stop(): void {
    this.cancelTimer?.();
    this.cancelTimer = undefined;
  }

  /** Connected, or somebody else is to be connected to: what was given up does not count any more. */
  forget(): void {
    this.abandoned = 0;
    this.isBrokenOff = false;
  }

  /** An attempt has failed; returns whether that was because it was broken off. */
  takeBrokenOff(): boolean {
    const { isBrokenOff } = this;
    this.isBrokenOff = false;
    return isBrokenOff;
  }

  private giveUp(): void {
    const { host } = this;
    const subchannel = host.current();
    if (subchannel !== undefined && breakOffHandshake(subchannel)) {
      // The subchannel takes it for a failed attempt, and goes on with its own backoff.
      this.isBrokenOff = true;
      return;
    }
    host.abandon();
    const delayMs = backoffDelayMs(ABANDONED_BACKOFF, this.abandoned++, host.random);
    this.cancelTimer = host.clock.setTimer(delayMs, () => host.dial());
  }
}
