/**
 * Keeps the answer of a unary call back until it is whole. gRPC commits a call to the attempt whose headers come first (gRFC A6),
 * because an application may have seen them by then: a server that freezes or dies between headers and status fails calls that a
 * hedge or a retry would have saved. Here headers and message reach gRPC together with the status. So such an attempt is one that
 * failed or has not answered yet, like any other, and gRPC's own hedges, backoff, throttling and pushback apply to it.
 */
import type { status, StatusObject } from '@grpc/grpc-js';
import type { Subchannel } from './grpc-experimental.js';

type RealSubchannel = ReturnType<Subchannel['getRealSubchannel']>;
type CreateCall = RealSubchannel['createCall'];
type AttemptListener = Parameters<CreateCall>[3];

/** Under this key a config selector leaves the status codes of a unary call after which another attempt may be made. */
export const WHOLE_ANSWER = Symbol('nestjs_grpc_discovery_whole_answer');

/** Under this key the status of an attempt carries the headers that were kept back: of the last attempt they are the call's. */
export const KEPT_HEADERS = Symbol('nestjs_grpc_discovery_kept_headers');

/** A status as it may come from an attempt. */
export interface AttemptStatus extends StatusObject {
  /** How far it came; `REFUSED`: to a server, and not to the application. */
  readonly progress?: string;
  readonly [KEPT_HEADERS]?: StatusObject['metadata'];
}

/** What a pick may carry of it. */
export interface WholeAnswerMark {
  readonly [WHOLE_ANSWER]?: ReadonlySet<status>;
}

/** A picked connection, for one attempt. It has what gRPC asks of a pick, and no more. */
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

  /** For gRPC's traces, as the next one. */
  getChannelzRef() {
    return this.subchannel.getChannelzRef();
  }

  getAddress(): string {
    return this.subchannel.getAddress();
  }

  /** gRPC makes the call on what this returns. */
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
 * The connection for an attempt of a call whose answer counts as a whole.
 *
 * @param retried codes after which another attempt may be made: of an attempt that ends with one, gRPC sees the status alone, which
 *   carries the headers
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
