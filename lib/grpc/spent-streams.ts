/**
 * Lets go of calls that have ended. Node keeps every HTTP/2 stream of a client until a full garbage collection (its `request()` binds an
 * `AsyncResource`, and the accessors that this defines stay in a hidden class), and grpc-js hangs the whole call on its stream, by listeners:
 * request, answer, metadata and callbacks. Left there, they make the collections of young objects twice as long, and the full ones frequent.
 */
import type { ClientHttp2Stream } from 'node:http2';

/** The part of grpc-js's HTTP/2 transport, and of its calls, this file relies on. */
interface CallingTransport {
  addActiveCall(call: { readonly http2Stream?: Partial<ClientHttp2Stream> } | undefined): void;
}

/** Has every call of a connection let go of its stream once that has closed, the last that happens to it. Once for each connection. */
export function releaseSpentStreams(transport: Partial<CallingTransport>): void {
  if (typeof transport.addActiveCall !== 'function') return;
  const addActiveCall = transport.addActiveCall.bind(transport);
  transport.addActiveCall = (call) => {
    addActiveCall(call);
    call?.http2Stream?.once?.('close', release);
  };
}

function release(this: ClientHttp2Stream): void {
  this.removeAllListeners();
  // Nothing is to come any more; if it does, it is not to end the process.
  this.on('error', ignore);
}

function ignore(): void {}
