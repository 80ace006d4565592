/**
 * Lets go of calls that have ended. Node keeps every HTTP/2 stream of a client until a full garbage collection (its `request()` binds an
 * `AsyncResource`, and the accessors that this defines stay in a hidden class), and grpc-js hangs the whole call on its stream: request,
 * answer, metadata and callbacks. Left there, they make the collections of young objects twice as long, and the full ones frequent.
 */

/** The part of grpc-js's HTTP/2 transport, and of its calls, this file relies on. */
interface CallingTransport {
  /** Called once for each call, when its status is about to be told, and nothing after it. */
  removeActiveCall(call: EndedCall): void;
}

interface EndedCall {
  /** What is above the stream: everything else of the call. */
  listener?: object;
}

/** Who hears what comes after the end. */
const NOBODY = {
  onReceiveMetadata(): void {},
  onReceiveMessage(): void {},
  onReceiveStatus(): void {},
};

/** Has every call of a connection let go of what is above its stream, once its status has been told. Once for each connection. */
export function releaseEndedCalls(transport: Partial<CallingTransport>): void {
  if (typeof transport.removeActiveCall !== 'function') return;
  const removeActiveCall = transport.removeActiveCall.bind(transport);
  let ended: EndedCall[] = [];
  const release = (): void => {
    const calls = ended;
    ended = [];
    for (const call of calls) call.listener = NOBODY;
  };
  transport.removeActiveCall = (call) => {
    removeActiveCall(call);
    // The status is told before the turn ends; all that end in one turn cost one timer.
    if (call?.listener !== undefined && ended.push(call) === 1) setImmediate(release);
  };
}
