/**
 * Follows `grpc.health.v1.Health/Watch` on one connection, as gRPC's client-side health checking does
 * (gRFC A17): not serving means no calls, a server without the health service counts as healthy.
 */
import {
  type ClientReadableStream,
  credentials,
  makeClientConstructor,
  type MethodDefinition,
  type StatusObject,
  status,
} from '@grpc/grpc-js';
import { backoffDelayMs, type BackoffPolicy } from '../../core/backoff.js';
import type { CancelTimer, Clock, Random } from '../../core/clock.js';
import type { Subchannel } from '../grpc-js/grpc-experimental.js';

/** gRFC A17: the connection backoff of gRPC. */
const RETRY_BACKOFF: BackoffPolicy = { baseMs: 1_000, capMs: 120_000, floorMs: 200 };
/** `grpc.health.v1.HealthCheckResponse.ServingStatus.SERVING`. */
const SERVING = 1;

// Two messages of one field each: `string service = 1` and `ServingStatus status = 1`.
const watchMethod: MethodDefinition<string, number> = {
  path: '/grpc.health.v1.Health/Watch',
  requestStream: false,
  responseStream: true,
  requestSerialize: (service) => {
    const name = Buffer.from(service);
    return Buffer.concat([Buffer.from([0x0a]), encodeVarint(name.length), name]);
  },
  requestDeserialize: (bytes) => bytes.subarray(2).toString(),
  responseSerialize: (serving) => Buffer.from([0x08, serving]),
  responseDeserialize: (bytes) => (bytes[0] === 0x08 ? (bytes[1] ?? 0) : 0),
};
const HealthClient = makeClientConstructor({ Watch: watchMethod }, 'Health');

/** One running health watch. */
export class HealthWatch {
  private call: ClientReadableStream<number> | undefined;
  private cancelTimer: CancelTimer | undefined;
  private failures = 0;
  private stopped = false;

  /**
   * @param onHealth told of every answer; `detail` says what the server said
   */
  constructor(
    private readonly subchannel: Subchannel,
    private readonly service: string,
    private readonly ports: { readonly clock: Clock; readonly random: Random },
    private readonly onHealth: (healthy: boolean, detail: string) => void,
  ) {
    this.watch();
  }

  stop(): void {
    this.stopped = true;
    this.cancelTimer?.();
    this.call?.cancel();
  }

  private watch(): void {
    const client = new HealthClient('health', credentials.createInsecure(), {
      channelOverride: this.subchannel.getChannel(),
    });
    const start = client['Watch'] as unknown as (service: string) => ClientReadableStream<number>;
    const call = start.call(client, this.service);
    this.call = call;
    call.on('data', (serving: number) => {
      if (this.stopped) return;
      this.failures = 0;
      this.onHealth(serving === SERVING, `the server's health status is ${serving}`);
    });
    // The status tells of both, an error and an end without one; an error that nobody listens to would be thrown.
    call.on('error', () => {});
    call.on('status', ({ code, details }: StatusObject) => {
      if (!this.stopped) this.onEnd(code, details);
    });
  }

  /** A watch is not supposed to end. */
  private onEnd(code: status, details: string): void {
    if (code === status.UNIMPLEMENTED) {
      this.onHealth(true, 'the server has no health service');
      return;
    }
    const { clock, random } = this.ports;
    this.onHealth(false, `the health watch ended with ${status[code]}: ${details}`);
    const delayMs = backoffDelayMs(RETRY_BACKOFF, this.failures++, random);
    this.cancelTimer = clock.setTimer(delayMs, () => this.watch());
  }
}

function encodeVarint(value: number): Buffer {
  const bytes: number[] = [];
  for (let rest = value; ; rest >>>= 7) {
    bytes.push(rest < 0x80 ? rest : (rest & 0x7f) | 0x80);
    if (rest < 0x80) return Buffer.from(bytes);
  }
}
