/**
 * Ends attempts to connect that take too long: grpc-js waits without limit for a peer that accepts a
 * connection and sends nothing. If the transport can break the attempt off, the attempt counts as failed.
 * Otherwise the connection abandons the transport and makes another attempt after a backoff.
 */
import { backoffDelayMs, type BackoffPolicy } from '../../core/backoff.js';
import type { CancelTimer, Clock, Random } from '../../core/clock.js';

/** The backoff after abandoned attempts: the transport's own backoff does not count them. */
const ABANDONED_BACKOFF: BackoffPolicy = { baseMs: 1_000, capMs: 30_000, floorMs: 500 };

/** What a deadline does with its connection. */
interface DeadlineActions {
  /**
   * Ends the attempt under way, which then counts as failed; returns false if the transport cannot do that.
   */
  readonly breakOff: () => boolean;
  /** Abandons the attempt under way together with its transport. */
  readonly abandon: () => void;
  /** Begins another attempt. */
  readonly dial: () => void;
}

/** Ends every attempt to connect to one endpoint that takes too long. */
export class ConnectDeadline {
  private cancelTimer: CancelTimer | undefined;
  private abandoned = 0;
  private isBrokenOff = false;

  constructor(
    private readonly ports: { readonly clock: Clock; readonly random: Random },
    private readonly actions: DeadlineActions,
  ) {}

  /**
   * Starts the deadline of an attempt that has just begun.
   *
   * @param timeoutMs how long the attempt may take, in milliseconds
   */
  start(timeoutMs: number): void {
    this.stop();
    this.cancelTimer = this.ports.clock.setTimer(timeoutMs, () => this.giveUp());
  }

  /** Stops the deadline of an attempt, and the backoff after an abandoned attempt. */
  stop(): void {
    this.cancelTimer?.();
  }

  /** Forgets abandoned attempts, because the endpoint is connected or another process has its address. */
  forget(): void {
    this.abandoned = 0;
    this.isBrokenOff = false;
  }

  /** Called when an attempt has failed; returns whether the deadline had broken it off. */
  takeBrokenOff(): boolean {
    const { isBrokenOff } = this;
    this.isBrokenOff = false;
    return isBrokenOff;
  }

  private giveUp(): void {
    const { ports, actions } = this;
    if (actions.breakOff()) {
      // The transport counts the attempt as failed, and retries with its own backoff.
      this.isBrokenOff = true;
      return;
    }
    actions.abandon();
    const delayMs = backoffDelayMs(ABANDONED_BACKOFF, this.abandoned++, ports.random);
    this.cancelTimer = ports.clock.setTimer(delayMs, () => actions.dial());
  }
}
