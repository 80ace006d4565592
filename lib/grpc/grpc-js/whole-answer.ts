/**
 * Holds the answer of a unary call back until it is whole. gRPC commits a call to the attempt whose headers
 * come first (gRFC A6), because the application may have seen them: if a server then freezes or dies before
 * the status, the call fails although a hedge or a retry would have saved it. Here gRPC gets headers and
 * message together with the status. So gRPC sees an attempt whose answer broke off as one that failed, or has
 * not answered yet: its hedges, backoff, throttling and pushback apply.
 */
import type { status, StatusObject } from '@grpc/grpc-js';
import type { Subchannel } from './grpc-experimental.js';

type RealSubchannel = ReturnType<Subchannel['getRealSubchannel']>;
type CreateCall = RealSubchannel['createCall'];
type AttemptListener = Parameters<CreateCall>[3];

/**
 * The config selector sets this key in the pick information of unary calls that may be retried. Its value is
 * the set of status codes after which gRPC may send the call again.
 */
export const WHOLE_ANSWER = Symbol('nestjs_grpc_discovery_whole_answer');

/**
 * The status of an attempt carries the held headers under this key; the headers of the last attempt become
 * those of the call.
 */
export const KEPT_HEADERS = Symbol('nestjs_grpc_discovery_kept_headers');

/** The status with which an attempt ends. */
export interface AttemptStatus extends StatusObject {
  /** How far the attempt came; `REFUSED`: it reached a server, but not the application. */
  readonly progress?: string;
  readonly [KEPT_HEADERS]?: StatusObject['metadata'];
}

/** The mark that a pick gets for a call whose answer is held back until it is whole. */
export interface WholeAnswerMark {
  readonly [WHOLE_ANSWER]?: ReadonlySet<status>;
}

/**
 * A picked subchannel for one attempt. It has only the methods that gRPC calls on the subchannel of a pick.
 */
class WholeAnswerSubchannel implements Partial<Subchannel> {
  constructor(
    private readonly subchannel: Subchannel,
    private readonly retried: ReadonlySet<status>,
  ) {}

  getConnectivityState() {
    return this.subchannel.getConnectivityState();
  }

  getCallCredentials() {
    return this.subchannel.getCallCredentials();
  }

  /** Only gRPC's traces use this method and `getAddress`. */
  getChannelzRef() {
    return this.subchannel.getChannelzRef();
  }

  getAddress(): string {
    return this.subchannel.getAddress();
  }

  /** Returns this object, because gRPC makes the call on the result. */
  getRealSubchannel(): RealSubchannel {
    return this as unknown as RealSubchannel;
  }

  createCall(...[metadata, host, method, listener, callNumber]: Parameters<CreateCall>) {
    const real = this.subchannel.getRealSubchannel();
    const whole = new WholeAnswer(listener, this.retried);
    return real.createCall(metadata, host, method, whole, callNumber);
  }
}

/**
 * Wraps the subchannel for an attempt of a call whose answer is held back until it is whole.
 *
 * @param retried status codes after which another attempt may follow: of an attempt that ends with one of
 *   them, gRPC sees only the status, which carries the headers
 */
export function withWholeAnswer(subchannel: Subchannel, retried: ReadonlySet<status>): Subchannel {
  return new WholeAnswerSubchannel(subchannel, retried) as unknown as Subchannel;
}

class WholeAnswer implements AttemptListener {
  private headers: Parameters<AttemptListener['onReceiveMetadata']>[0] | undefined;
  private message: Parameters<AttemptListener['onReceiveMessage']>[0] | undefined;

  constructor(
    private readonly listener: AttemptListener,
    private readonly retried: ReadonlySet<status>,
  ) {}

  onReceiveMetadata(headers: NonNullable<typeof this.headers>): void {
    this.headers = headers;
  }

  onReceiveMessage(message: NonNullable<typeof this.message>): void {
    this.message = message;
  }

  onReceiveStatus(ended: StatusObject & Parameters<AttemptListener['onReceiveStatus']>[0]): void {
    const { listener, headers, message } = this;
    if (headers === undefined) listener.onReceiveStatus(ended);
    else if (this.retried.has(ended.code)) {
      listener.onReceiveStatus({ ...ended, [KEPT_HEADERS]: headers } as typeof ended);
    } else {
      listener.onReceiveMetadata(headers);
      if (message !== undefined) listener.onReceiveMessage(message);
      listener.onReceiveStatus(ended);
    }
  }
}
