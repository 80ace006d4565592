/** The options of etcd3 for one member: pings find dead connections, and etcd3's own retries are off. */
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
      // etcd treats pings on a connection without a stream as abuse. Only the watch needs pings, and the
      // watch is a stream; all other requests have deadlines.
      'grpc.keepalive_permit_without_calls': 0,
      // With a shared pool a peer that accepts connections and never answers would block every client of the
      // process.
      'grpc.use_local_subchannel_pool': 1,
      // Requests trigger reconnects, and while etcd is away only the probe sends requests: the channel must
      // not back off longer than the probe.
      'grpc.initial_reconnect_backoff_ms': Math.min(500, probeIntervalMs),
      'grpc.max_reconnect_backoff_ms': probeIntervalMs,
      // A list of many records exceeds the default of 4 MiB.
      'grpc.max_receive_message_length': -1,
      'grpc.enable_http_proxy': 0,
    },
    defaultCallOptions: ({ isStream }) =>
      isStream ? {} : { deadline: Date.now() + requestTimeoutMs },
    faultHandling: { host: () => noPolicy, global: noPolicy },
  };
}

/**
 * Turns retries and circuit breakers off: the lease and watch machines decide when to retry, the connection
 * decides on which member.
 */
const noPolicy = {
  execute: async (run: (context: { signal: AbortSignal }) => unknown) =>
    run({ signal: new AbortController().signal }),
} as unknown as FaultPolicy;
