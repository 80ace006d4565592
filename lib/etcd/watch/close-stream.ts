/** Ends a stream of etcd3 without closing others. */

/**
 * Ends a stream, then cancels it. Cancelling raises an error; if the stream can still be written to at that
 * moment, etcd3 takes the error for a failure of the member and closes every channel to it, other watches
 * included.
 */
export function closeStream(stream: { end(): void; cancel(): void }): void {
  stream.end();
  stream.cancel();
}

/**
 * Removes etcd3's own error listener from a stream; the caller adds another one. etcd3's listener closes
 * every channel to the member, also the channels of streams that were opened later. grpc-js ends the streams
 * of a closed channel with their next ping; each of them would then close the channels of still later
 * streams, without end.
 */
export function ownErrors(stream: object): void {
  // Every stream of Node has this method; the types of etcd3 lack it.
  (stream as { removeAllListeners?(event: 'error'): unknown }).removeAllListeners?.('error');
}
