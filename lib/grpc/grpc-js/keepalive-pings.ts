/**
 * Keeps grpc-js's HTTP/2 keepalive pings from doing harm. grpc-js pings at a fixed interval, whoever the server is and whatever has
 * become of the connection, and offers nothing to change that: its transport's methods are wrapped, where it has those.
 */

/**
 * Servers in Go and on gRPC's C core take pings for abuse (GOAWAY `too_many_pings`, which ends every call on the connection) when
 * more than two in a row come within five minutes of each other, and the server has sent nothing in between.
 * Source: gRFC A8; grpc-go `keepalive.EnforcementPolicy` and `http2_server.go` (`maxPingStrikes`).
 */
const PATIENT_MS = 5 * 60_000 + 10_000;
/** Pings into silence: the first costs no strike. */
const SILENT_PINGS = 2;
/** One more when a call was sent after the last of them: somebody waits for an answer, and the connection may be dead. */
const RESERVE_PINGS = 1;

/** The part of grpc-js's HTTP/2 transport this file relies on. */
interface PingingTransport {
  readonly session: { readonly closed: boolean };
  /** Counted unless channelz is switched off: then every ping counts as one into silence. */
  readonly messagesReceived?: number;
  canSendPing(): boolean;
  maybeSendPing(): void;
  maybeStartKeepalivePingTimer(): void;
  addActiveCall(call: unknown): void;
}

/**
 * Governs the pings of a connection that has become ready: once for each. Does nothing where grpc-js looks different inside.
 *
 * - No pings on a connection that is being left, after a GOAWAY or because nobody refers to it any more: Node does not send
 *   them, grpc-js takes that for the loss of the connection, and calls that could finish fail.
 * - If `isSparing`, no more pings into silence than servers in Go bear: two, and then one in five minutes.
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
  // A ping that was put off while no call was open leaves before the call that it waited for.
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
      // After another interval: by then something may have come.
      transport.maybeStartKeepalivePingTimer();
    }
  };
}

/** How many pings a server bears. */
export class PingBudget {
  private silent = 0;
  private hasCalled = false;
  private received = 0;
  private pingedMs = -Infinity;

  /** A call was sent. */
  called(): void {
    this.hasCalled = true;
  }

  /**
   * Whether a ping may be sent now; it is then taken as sent.
   *
   * @param received how many messages came on the connection so far; frames of the connection itself do not count for servers
   * @param nowMs monotonic milliseconds
   * @param hasCall whether the server sees an open call: without one it is patient for two hours, not five minutes
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
