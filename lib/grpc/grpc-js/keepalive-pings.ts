/**
 * Limits grpc-js's HTTP/2 keepalive pings. grpc-js pings at a fixed interval, whatever the server tolerates
 * and even if the connection is closing, and has no option to change that. Therefore private methods of its
 * transport are wrapped, if it has them.
 */

/**
 * While a call is open, how long after the last ping another one is allowed in any case, in milliseconds.
 * Servers in Go and on gRPC's C core take pings for abuse (GOAWAY `too_many_pings`, which ends every call on
 * the connection) when more than two in a row come within five minutes of each other, and the server has sent
 * nothing in between.
 * Source: gRFC A8; grpc-go `keepalive.EnforcementPolicy` and `http2_server.go` (`maxPingStrikes`).
 */
const PATIENT_MS = 5 * 60_000 + 10_000;
/** How many pings are allowed while the server sends nothing: the server counts no strike for the first. */
const SILENT_PINGS = 2;
/**
 * How many more pings are allowed once a call was sent after the last ping: the call waits for an answer, and
 * the connection may be dead.
 */
const RESERVE_PINGS = 1;

/** The part of grpc-js's HTTP/2 transport that this file relies on. */
interface PingingTransport {
  readonly session: { readonly closed: boolean };
  /**
   * How many messages came; `undefined` if channelz is switched off: then every ping counts as sent to a
   * silent server.
   */
  readonly messagesReceived?: number;
  canSendPing(): boolean;
  maybeSendPing(): void;
  maybeStartKeepalivePingTimer(): void;
  addActiveCall(call: unknown): void;
}

/**
 * Limits the pings of a connection that has become ready. Call it once for each connection. It does nothing
 * if grpc-js has other methods.
 *
 * - No pings on a connection that is closing, after a GOAWAY or because no channel uses it any more: Node
 *   does not send them, grpc-js takes that for the loss of the connection, and calls that could finish fail.
 * - If `isSparing`, no more pings into silence than servers in Go tolerate: two, and then one in five
 *   minutes.
 */
export function governPings(transport: object, isSparing: boolean): void {
  if (!isPinging(transport)) return;
  const canSendPing = transport.canSendPing.bind(transport);
  transport.canSendPing = () => !transport.session.closed && canSendPing();
  if (isSparing) spare(transport);
}

function isPinging(transport: Partial<PingingTransport>): transport is PingingTransport {
  const { canSendPing, maybeSendPing, maybeStartKeepalivePingTimer, addActiveCall } = transport;
  return [canSendPing, maybeSendPing, maybeStartKeepalivePingTimer, addActiveCall].every(
    (method) => typeof method === 'function',
  );
}

function spare(transport: PingingTransport): void {
  const budget = new PingBudget();
  const maybeSendPing = transport.maybeSendPing.bind(transport);
  const addActiveCall = transport.addActiveCall.bind(transport);
  // While no call is open, grpc-js puts a ping off. It sends that ping just before the next call.
  let isBeforeCall = false;
  transport.addActiveCall = (call) => {
    budget.called();
    isBeforeCall = true;
    addActiveCall(call);
    isBeforeCall = false;
  };
  transport.maybeSendPing = () => {
    if (
      !transport.canSendPing() ||
      budget.take(transport.messagesReceived ?? 0, performance.now(), !isBeforeCall)
    ) {
      maybeSendPing();
    } else {
      // Try again after another interval: the server may have sent something by then.
      transport.maybeStartKeepalivePingTimer();
    }
  };
}

/** Counts how many pings a server tolerates. */
export class PingBudget {
  private silent = 0;
  private hasCalled = false;
  private received = 0;
  private pingedMs = -Infinity;

  /** Called when a call was sent. */
  called(): void {
    this.hasCalled = true;
  }

  /**
   * Whether a ping may be sent now; if so, it counts as sent.
   *
   * @param received how many messages came on the connection so far; servers do not count other frames
   * @param nowMs monotonic milliseconds
   * @param hasCall whether the server sees an open call: without one it tolerates a ping only every two
   *   hours, not every five minutes
   */
  take(received: number, nowMs: number, hasCall = true): boolean {
    if (received > this.received) this.silent = 0;
    const allowed = SILENT_PINGS + (this.hasCalled ? RESERVE_PINGS : 0);
    const isPatient = hasCall && nowMs - this.pingedMs >= PATIENT_MS;
    if (this.silent >= allowed && !isPatient) return false;
    this.silent++;
    this.hasCalled = false;
    this.received = received;
    this.pingedMs = nowMs;
    return true;
  }
}
