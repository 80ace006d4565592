/**
 * Repeats a unary call whose answer broke off behind its headers. gRPC's own retries end with the headers (gRFC A6: the call is
 * committed), because an application may have seen them by then; so a server that dies while it answers fails calls that could be
 * retried. Here headers and message are kept back until the status is there, and nobody has seen anything.
 */
import {
  InterceptingCall,
  type Interceptor,
  type InterceptingListener,
  type Metadata,
  status,
  type StatusObject,
} from '@grpc/grpc-js';

type NextCall = Parameters<Interceptor>[1];
type InnerCall = ReturnType<NextCall>;
type MessageContext = Parameters<InterceptingCall['sendMessageWithContext']>[0];

/** With it a server says when a call may be tried again: it has answered, and whatever it wants has been done (gRFC A6). */
const PUSHBACK = 'grpc-retry-pushback-ms';

/**
 * An interceptor that repeats a call once, with all the attempts of a call, if its answer broke off.
 *
 * @param isRetried whether a call of a method, by its path, may be tried again after it ended with a status
 */
export function createBrokenAnswerRetry(
  isRetried: (path: string, code: status) => boolean,
): Interceptor {
  return (options, nextCall) => {
    const { path, requestStream, responseStream } = options.method_definition;
    const first = nextCall(options);
    if (requestStream || responseStream || !isRetried(path, status.UNAVAILABLE)) {
      // Nothing to add; grpc-js asks for no more than the interface.
      return first as InterceptingCall;
    }
    return new RepeatableCall(
      first,
      () => nextCall(options),
      (code) => isRetried(path, code),
    );
  };
}

class RepeatableCall extends InterceptingCall {
  private sent: { readonly message: unknown; readonly context: MessageContext } | undefined;
  private second: InnerCall | undefined;
  private isCancelled = false;

  constructor(
    first: InnerCall,
    private readonly again: () => InnerCall,
    private readonly isRetried: (code: status) => boolean,
  ) {
    super(first);
  }

  override start(metadata: Metadata, listener: Partial<InterceptingListener> = {}): void {
    // What is below may add to it, or take from it.
    const untouched = metadata.clone();
    let headers: Metadata | undefined;
    let message: unknown;
    super.start(metadata, {
      onReceiveMetadata: (received: Metadata) => {
        headers = received;
      },
      onReceiveMessage: (received: unknown) => {
        message = received;
      },
      onReceiveStatus: (received: StatusObject) => {
        // Without headers it was gRPC's to try again.
        const isBroken = headers !== undefined && this.mayRepeat(received);
        if (isBroken && this.repeat(untouched, listener)) return;
        if (headers !== undefined) listener.onReceiveMetadata?.(headers);
        if (message !== undefined) listener.onReceiveMessage?.(message);
        listener.onReceiveStatus?.(received);
      },
    });
  }

  override sendMessageWithContext(context: MessageContext, message: unknown): void {
    this.sent = { message, context };
    super.sendMessageWithContext(context, message);
  }

  override sendMessage(message: unknown): void {
    this.sendMessageWithContext({}, message);
  }

  override cancelWithStatus(code: status, details: string): void {
    this.isCancelled = true;
    if (this.second === undefined) super.cancelWithStatus(code, details);
    else this.second.cancelWithStatus(code, details);
  }

  override getPeer(): string {
    return this.second?.getPeer() ?? super.getPeer();
  }

  private mayRepeat({ code, metadata }: StatusObject): boolean {
    return !this.isCancelled && this.isRetried(code) && metadata.get(PUSHBACK).length === 0;
  }

  /** Returns whether there was anything left to send it on: the client may have been closed meanwhile. */
  private repeat(metadata: Metadata, listener: Partial<InterceptingListener>): boolean {
    const { sent } = this;
    let second: InnerCall;
    try {
      second = this.again();
    } catch {
      return false;
    }
    this.second = second;
    second.start(metadata, listener);
    if (sent !== undefined) second.sendMessageWithContext(sent.context, sent.message);
    second.halfClose();
    return true;
  }
}
