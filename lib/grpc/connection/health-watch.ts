/**
 * Follows the health of one server, as gRPC's client-side health checking does (gRFC A17): a server that does
 * not answer `SERVING` gets no calls; a server without the health service counts as healthy.
 */
import { backoffDelayMs, type BackoffPolicy } from '../../core/backoff.js';
import type { CancelTimer, Clock, Random } from '../../core/clock.js';
import type { Transport } from './transport.js';

/** The backoff between two calls: gRFC A17 asks for gRPC's connection backoff. */
const RETRY_BACKOFF: BackoffPolicy = { baseMs: 1_000, capMs: 120_000, floorMs: 200 };
/** `grpc.health.v1.HealthCheckResponse.ServingStatus.SERVING`. */
const SERVING = 1;

/** The health watch of one transport: a new call follows when the one before breaks. */
export class HealthWatch {
  private endCall: (() => void) | undefined;
  private cancelTimer: CancelTimer | undefined;
  private failures = 0;
  private stopped = false;

  /**
   * @param service the service to ask about; empty: the server as a whole
   * @param onHealth called with every answer and when the watch breaks; `detail` says what was answered or
   *   why it broke
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

  /** Any end of the call but `UNIMPLEMENTED` is a failure: a healthy server does not end a watch. */
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
