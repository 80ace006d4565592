/** How a stream of etcd3 ends without hurting the others. */

/**
 * Cancels a stream. It is ended first: etcd3 takes the error of a stream that can still be written to, which cancelling
 * makes, for a failure of the member, and closes every channel to it, other watches included.
 */
export function closeStream(stream: { end(): void; cancel(): void }): void {
  stream.end();
  stream.cancel();
}

/**
 * Takes off etcd3's own listener for the errors of a stream; the caller adds one in its place. It closes every channel to the member, that
 * of streams opened since included: grpc-js ends those with their next ping, and each would close the channel of the next ones, for ever.
 */
export function ownErrors(stream: object): void {
  // Every stream of Node has it; the types of etcd3 do not.
  (stream as { removeAllListeners?(event: 'error'): unknown }).removeAllListeners?.('error');
}
