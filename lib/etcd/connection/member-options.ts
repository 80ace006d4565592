/** How etcd3 is set up for one member: connections that notice when they are dead, and no will of its own. */
import type { IOptions } from 'etcd3';
import { DEFAULT_REQUEST_TIMEOUT_MS, type EtcdOptions } from '../etcd-options.js';
import { resolveTimings } from '../etcd-timings.js';

type FaultPolicy = NonNullable<NonNullable<IOptions['faultHandling']>['global']>;

/** Options of the client of one member. */
export function memberOptions(host: string, options: EtcdOptions): IOptions {
  const { tls, requestTimeoutMs = DEFAULT_REQUEST_TIMEOUT_MS } = options;
  const { probeIntervalMs, pingIntervalMs, pingTimeoutMs } = resolveTimings(options.timings);
  return {
    hosts: host,
    ...(tls === undefined
      ? {}
      : {
          credentials: {
            rootCertificate: Buffer.from(tls.ca),
            ...(tls.cert === undefined ? {} : { certChain: Buffer.from(tls.cert) }),
            ...(tls.key === undefined ? {} : { privateKey: Buffer.from(tls.key) }),
          },
        }),
    grpcOptions: {
      'grpc.keepalive_time_ms': pingIntervalMs,
      'grpc.keepalive_timeout_ms': pingTimeoutMs,
      // Without a stream etcd takes any ping for abuse; the watch is a stream, and all else has deadlines.
      'grpc.keepalive_permit_without_calls': 0,
      // Without it a peer that accepts and says nothing blocks every client of the process for good.
      'grpc.use_local_subchannel_pool': 1,
      // Tried by whoever asks, which is the probe while nobody answers: no slower than it looks.
      'grpc.initial_reconnect_backoff_ms': Math.min(500, probeIntervalMs),
      'grpc.max_reconnect_backoff_ms': probeIntervalMs,
      // A list of many records is more than the default of 4 MiB.
      'grpc.max_receive_message_length': -1,
      'grpc.enable_http_proxy': 0,
    },
    defaultCallOptions: ({ isStream }) =>
      isStream ? {} : { deadline: Date.now() + requestTimeoutMs },
    faultHandling: { host: () => noPolicy, global: noPolicy },
  };
}

/** Retries and breakers off: the machines decide when to try again, this connection decides where. */
const noPolicy = {
  execute: async (run: (context: { signal: AbortSignal }) => unknown) =>
    run({ signal: new AbortController().signal }),
} as unknown as FaultPolicy;
