/**
 * Replaces a connection's transport before the server ends the transport for its age, so that this end breaks
 * no call.
 */
import type { CancelTimer, Clock, Random } from '../../core/clock.js';
import type { Transport, TransportState } from './transport.js';

/**
 * The earliest moment of a replacement, as a share of the age at which the server ends connections. That age
 * varies by ±10 %, so no connection ends before a share of 0.9.
 */
const RENEWAL_SHARE = 0.4;
/**
 * By how much at most the share of a replacement exceeds `RENEWAL_SHARE`, at random, so that clients that
 * connected together do not reconnect together.
 */
const RENEWAL_SPREAD = 0.2;

/**
 * Makes a new transport for one endpoint before the server ends the old one, and passes the new one on once
 * it can take calls.
 */
export class ConnectionRenewal {
  private cancelTimer: CancelTimer | undefined;
  /** The transport that is being connected; no call uses it yet. */
  private replacement: Transport | undefined;

  /**
   * @param dial makes a new transport, never the one in use
   * @param onReady called when the replacement can take calls; from then on the caller owns it
   */
  constructor(
    private readonly ports: { readonly clock: Clock; readonly random: Random },
    private readonly dial: () => Transport,
    private readonly onReady: (replacement: Transport) => void,
  ) {}

  /**
   * Plans the replacement of a transport that has just connected.
   *
   * @param ageMs age at which the server ends the transport, in milliseconds
   */
  schedule(ageMs: number): void {
    this.stop();
    const { clock, random } = this.ports;
    const delayMs = ageMs * (RENEWAL_SHARE + RENEWAL_SPREAD * random());
    this.cancelTimer = clock.setTimer(delayMs, () => this.begin(ageMs));
  }

  stop(): void {
    this.cancelTimer?.();
    const { replacement } = this;
    this.replacement = undefined;
    replacement?.release();
  }

  private begin(ageMs: number): void {
    const replacement = this.dial();
    this.replacement = replacement;
    const follow = (state: TransportState): void => {
      if (this.replacement !== replacement || state === 'connecting') return;
      if (state === 'ready') {
        this.replacement = undefined;
        this.onReady(replacement);
      } else {
        // The replacement failed: the old transport stays, and another replacement follows later.
        this.schedule(ageMs);
      }
    };
    replacement.listen(follow);
    if (replacement.state === 'ready') follow('ready');
    else replacement.connect();
  }
}
