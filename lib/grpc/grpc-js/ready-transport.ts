/**
 * Prepares each connection of grpc-js once, when it has become ready. The transport of a connection is
 * private to grpc-js: if it has other fields than expected, nothing is done.
 */
import type { Subchannel } from './grpc-experimental.js';
import { governPings } from './keepalive-pings.js';
import { releaseEndedCalls } from './ended-calls.js';

/** Transports that were prepared: several subchannels may share one. */
const prepared = new WeakSet<object>();

/**
 * Limits the pings of a subchannel's connection, and releases its calls when they end.
 *
 * @param isSparing whether to send no more keepalive pings than servers in Go tolerate
 */
export function prepareTransport(subchannel: Subchannel, isSparing: boolean): void {
  // A microtask, because grpc-js reports the state before it sets `transport`.
  queueMicrotask(() => {
    const { transport } = subchannel.getRealSubchannel() as unknown as {
      readonly transport?: object | null;
    };
    if (transport === null || transport === undefined || prepared.has(transport)) return;
    prepared.add(transport);
    governPings(transport, isSparing);
    releaseEndedCalls(transport);
  });
}
