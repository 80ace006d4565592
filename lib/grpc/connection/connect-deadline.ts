/**
 * Gives up attempts to connect that take too long: grpc-js waits without a limit for a peer that accepts and says nothing. The deadline
 * breaks the attempt off where the transport allows it, which counts as a failed attempt; else the connection abandons the transport,
 * and another attempt follows with backoff.
 */
import { backoffDelayMs, type BackoffPolicy } from '../../core/backoff.js';
import type { CancelTimer, Clock, Random } from '../../core/clock.js';

/** Between attempts that were abandoned and not broken off: the transport's own backoff does not see those. */
const ABANDONED_BACKOFF: BackoffPolicy = { baseMs: 1_000, capMs: 30_000, floorMs: 500 };

/** What a deadline does to the connection that it belongs to. */
interface DeadlineActions {
  /** Ends the attempt under way as a failed one; returns false if that cannot be done. */
  readonly breakOff: () => boolean;
  /** Gives the attempt under way up together with its transport. */
  readonly abandon: () => void;
  /** Begins another attempt. */
  readonly dial: () => void;
}

/** The deadline of one endpoint's attempts. */
export class ConnectDeadline {
  private cancelTimer: CancelTimer | undefined;
  private abandoned = 0;
  private isBrokenOff = false;

  constructor(
    private readonly ports: { readonly clock: Clock; readonly random: Random },
    private readonly actions: DeadlineActions,
  ) {}

  /**
   * An attempt has begun.
   *
   * @param timeoutMs how long it may take
   */
  start(timeoutMs: number): void {
    this.stop();
    this.cancelTimer = this.ports.clock.setTimer(timeoutMs, () => this.giveUp());
  }

  /** No attempt is under way, and none follows. */
  stop(): void {
    this.cancelTimer?.();
    this.cancelTimer = undefined;
  }

  /** Connected, or the address is another process's: attempts that were given up do not count any more. */
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
    const { ports, actions } = this;
    if (actions.breakOff()) {
      // The transport takes it for a failed attempt, and goes on with its own backoff.
      this.isBrokenOff = true;
      return;
    }
    actions.abandon();
    const delayMs = backoffDelayMs(ABANDONED_BACKOFF, this.abandoned++, ports.random);
    this.cancelTimer = ports.clock.setTimer(delayMs, () => actions.dial());
  }
}
