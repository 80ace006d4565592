/** Replaces a connection before its server leaves it at its age, so that no call meets the end of the old one. */
import type { CancelTimer, Clock, Random } from '../../core/clock.js';
import { ConnectionSuccessor } from './connection-successor.js';
import type { Subchannel } from '../grpc-js/grpc-experimental.js';

/** When a connection is renewed, as a share of the age at which its server leaves it (±10 %, so never below 0.9). */
const RENEWAL_SHARE = 0.4;
/** How far clients that connected together are spread. */
const RENEWAL_SPREAD = 0.2;

/** The renewals of one endpoint's connection. */
export class ConnectionRenewal {
  private cancelTimer: CancelTimer | undefined;
  private successor: ConnectionSuccessor | undefined;

  /**
   * @param createSubchannel makes a connection of its own, not the one in use
   * @param onReady it can take calls, in the place of the one in use
   */
  constructor(
    private readonly ports: { readonly clock: Clock; readonly random: Random },
    private readonly createSubchannel: () => Subchannel,
    private readonly onReady: (subchannel: Subchannel) => void,
  ) {}

  /**
   * To be called when a connection has become ready.
   *
   * @param ageMs at which the server leaves it
   */
  schedule(ageMs: number): void {
    this.stop();
    const { clock, random } = this.ports;
    const delayMs = ageMs * (RENEWAL_SHARE + RENEWAL_SPREAD * random());
    this.cancelTimer = clock.setTimer(delayMs, () => {
      this.successor = new ConnectionSuccessor(
        this.createSubchannel(),
        (subchannel) => {
          this.successor = undefined;
          this.onReady(subchannel);
        },
        // The server itself, or the next renewal, ends what this one could not.
        () => this.schedule(ageMs),
      );
    });
  }

  stop(): void {
    this.cancelTimer?.();
    this.cancelTimer = undefined;
    this.successor?.drop();
    this.successor = undefined;
  }
}
