/** The connection that is to take another's place: made first, so that no call finds none. */
import { connectivityState } from '@grpc/grpc-js';
import { holdSubchannel, releaseSubchannel } from './connect-attempts.js';
import type { Subchannel } from '../grpc-js/grpc-experimental.js';

/** A connection in the making that nobody uses yet. Tells once how it went; dropped, it tells nothing. */
export class ConnectionSuccessor {
  private settled = false;

  /**
   * @param onReady it can take calls; it keeps the reference it was given with
   * @param onFailed it could not be made, and was let go
   */
  constructor(
    private readonly subchannel: Subchannel,
    private readonly onReady: (subchannel: Subchannel) => void,
    private readonly onFailed: () => void,
  ) {
    holdSubchannel(subchannel);
    subchannel.addConnectivityStateListener(this.onState);
    if (subchannel.getConnectivityState() === connectivityState.READY) this.settle(true);
    else subchannel.startConnecting();
  }

  drop(): void {
    if (this.settled) return;
    this.settled = true;
    this.subchannel.removeConnectivityStateListener(this.onState);
    releaseSubchannel(this.subchannel);
  }

  private readonly onState = (
    _subchannel: Subchannel,
    _previous: connectivityState,
    next: connectivityState,
  ): void => {
    if (next === connectivityState.READY) this.settle(true);
    else if (next !== connectivityState.CONNECTING) this.settle(false);
  };

  private settle(isReady: boolean): void {
    if (this.settled) return;
    if (!isReady) {
      this.drop();
      this.onFailed();
      return;
    }
    this.settled = true;
    this.subchannel.removeConnectivityStateListener(this.onState);
    this.onReady(this.subchannel);
  }
}
