/** Replaces a connection's transport before its server ends it at its age, so that no call meets the end of the old one. */
import type { CancelTimer, Clock, Random } from '../../core/clock.js';
import type { Transport, TransportState } from './transport.js';

/** When a replacement is made, as a share of the age at which the server ends a connection (±10 %, so never below 0.9). */
const RENEWAL_SHARE = 0.4;
/** How far clients that connected together are spread. */
const RENEWAL_SPREAD = 0.2;

/** The replacements of one endpoint's transport. */
export class ConnectionRenewal {
  private cancelTimer: CancelTimer | undefined;
  /** The transport that is being connected; no call uses it yet. */
  private replacement: Transport | undefined;

  /**
   * @param dial makes a transport that is not the one in use
   * @param onReady the replacement can take calls; from here on it belongs to the caller
   */
  constructor(
    private readonly ports: { readonly clock: Clock; readonly random: Random },
    private readonly dial: () => Transport,
    private readonly onReady: (replacement: Transport) => void,
  ) {}

  /**
   * Called when a connection has become ready.
   *
   * @param ageMs at which the server ends it
   */
  schedule(ageMs: number): void {
    this.stop();
    const { clock, random } = this.ports;
    const delayMs = ageMs * (RENEWAL_SHARE + RENEWAL_SPREAD * random());
    this.cancelTimer = clock.setTimer(delayMs, () => this.begin(ageMs));
  }

  stop(): void {
    this.cancelTimer?.();
    this.cancelTimer = undefined;
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
        // The server itself, or the next replacement, ends the connection that this one could not replace.
        this.schedule(ageMs);
      }
    };
    replacement.listen(follow);
    if (replacement.state === 'ready') follow('ready');
    else replacement.connect();
  }
}
