/**
 * What a connection of grpc-js's needs done to it, once, when it has become ready. Its transport is private to grpc-js: where it looks
 * different inside than expected, nothing is done.
 */
import type { Subchannel } from './grpc-experimental.js';
import { governPings } from './keepalive-pings.js';
import { releaseEndedCalls } from './ended-calls.js';

/** Subchannels of several channels may share a connection. */
const prepared = new WeakSet<object>();

/** @param isSparing keepalive pings are to stay within what servers in Go bear */
export function prepareTransport(subchannel: Subchannel, isSparing: boolean): void {
  // Listeners hear of the connection before it is in its place.
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
