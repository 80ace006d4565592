/**
 * Releases calls that have ended. Node keeps every HTTP/2 stream of a client until a full garbage collection
 * (its `request()` binds an `AsyncResource`, and the accessors that `AsyncResource.bind` defines stay in a
 * hidden class), and grpc-js attaches the whole call to its stream: request, answer, metadata and callbacks.
 * Without a release, collections of young objects take twice as long, and full collections are frequent.
 */

/** The part of grpc-js's HTTP/2 transport, and of its calls, that this file relies on. */
interface CallingTransport {
  /**
   * Called once for each call, just before its status is reported; no event of the call follows the status.
   */
  removeActiveCall(call: EndedCall): void;
}

interface EndedCall {
  /** Gets the events of the call's stream, and refers to everything else of the call. */
  listener?: object;
}

/** The listener of a call that has ended: it ignores all events. */
const NO_OP_LISTENER = {
  onReceiveMetadata(): void {},
  onReceiveMessage(): void {},
  onReceiveStatus(): void {},
};

/**
 * Makes every call of a connection drop its listener after its status was reported. Call it once for each
 * connection.
 */
export function releaseEndedCalls(transport: Partial<CallingTransport>): void {
  if (typeof transport.removeActiveCall !== 'function') return;
  const removeActiveCall = transport.removeActiveCall.bind(transport);
  let ended: EndedCall[] = [];
  const release = (): void => {
    const calls = ended;
    ended = [];
    for (const call of calls) call.listener = NO_OP_LISTENER;
  };
  transport.removeActiveCall = (call) => {
    removeActiveCall(call);
    // The status is reported before the turn ends. All calls that end in one turn cost one timer.
    if (call?.listener !== undefined && ended.push(call) === 1) setImmediate(release);
  };
}
