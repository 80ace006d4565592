/**
 * Follows the health of one server, as gRPC's client-side health checking does (gRFC A17): not serving means no calls, a server without
 * the health service counts as healthy.
 */
import { backoffDelayMs, type BackoffPolicy } from '../../core/backoff.js';
import type { CancelTimer, Clock, Random } from '../../core/clock.js';
import type { Transport } from './transport.js';

/** gRFC A17: the connection backoff of gRPC. */
const RETRY_BACKOFF: BackoffPolicy = { baseMs: 1_000, capMs: 120_000, floorMs: 200 };
/** `grpc.health.v1.HealthCheckResponse.ServingStatus.SERVING`. */
const SERVING = 1;

/** One running health watch: one call after another. */
export class HealthWatch {
  private endCall: (() => void) | undefined;
  private cancelTimer: CancelTimer | undefined;
  private failures = 0;
  private stopped = false;

  /**
   * @param service the service to ask about; empty: the server as a whole
   * @param onHealth called with every answer; `detail` is what the server said
   */
  constructor(
    private readonly transport: Transport,
    private readonly service: string,
    private readonly ports: { readonly clock: Clock; readonly random: Random },
    private readonly onHealth: (healthy: boolean, detail: string) => void,
  ) {
    this.watch();
  }

  stop(): void {
    this.stopped = true;
    this.cancelTimer?.();
    this.endCall?.();
  }

  private watch(): void {
    this.endCall = this.transport.watchHealth(this.service, {
      onAnswer: (serving) => {
        if (this.stopped) return;
        this.failures = 0;
        this.onHealth(serving === SERVING, `the server's health status is ${serving}`);
      },
      onEnd: (code, details) => {
        if (!this.stopped) this.onEnd(code, details);
      },
    });
  }

  /** A server that serves does not end a watch. */
  private onEnd(code: string, details: string): void {
    if (code === 'UNIMPLEMENTED') {
      this.onHealth(true, 'the server has no health service');
      return;
    }
    const { clock, random } = this.ports;
    this.onHealth(false, `the health watch ended with ${code}: ${details}`);
    const delayMs = backoffDelayMs(RETRY_BACKOFF, this.failures++, random);
    this.cancelTimer = clock.setTimer(delayMs, () => this.watch());
  }
}
