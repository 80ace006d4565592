/** Knows which calls a gRPC server has under way, so that they can be waited for, and at last be ended in good order. */
import {
  type ServerInterceptingCall,
  type ServerInterceptingCallInterface,
  type ServerInterceptor,
  status,
} from '@grpc/grpc-js';

type InterceptingServerListener = Parameters<ServerInterceptingCallInterface['start']>[0];

/** What an interceptor may hand on: grpc-js types it as its class, and uses its interface only. */
type InterceptedCall = ServerInterceptingCall;

/** The calls of one server. */
export class CallTracker {
  private readonly calls = new Set<ServerInterceptingCallInterface>();

  /** To be among the server's interceptors. It adds no layer to a call: it listens on the call itself. */
  readonly interceptor: ServerInterceptor = (_method, call) => {
    const tracked: ServerInterceptingCallInterface = call;
    this.calls.add(tracked);
    const sendStatus = tracked.sendStatus.bind(tracked);
    tracked.sendStatus = (outcome) => {
      this.calls.delete(tracked);
      sendStatus(outcome);
    };
    const start = tracked.start.bind(tracked);
    tracked.start = (listener) => start(this.listening(tracked, listener));
    return tracked as InterceptedCall;
  };

  /** How many calls are under way, open streams included. */
  get size(): number {
    return this.calls.size;
  }

  /**
   * Ends every call with `UNAVAILABLE`, which tells the client that it may try elsewhere.
   *
   * @returns how many there were
   */
  endAll(details: string): number {
    const calls = [...this.calls];
    for (const call of calls) call.sendStatus({ code: status.UNAVAILABLE, details });
    return calls.length;
  }

  private listening(
    call: ServerInterceptingCallInterface,
    listener: InterceptingServerListener,
  ): InterceptingServerListener {
    return {
      onReceiveMetadata: (metadata) => listener.onReceiveMetadata(metadata),
      onReceiveMessage: (message) => listener.onReceiveMessage(message),
      onReceiveHalfClose: () => listener.onReceiveHalfClose(),
      onCancel: () => {
        this.calls.delete(call);
        listener.onCancel();
      },
    };
  }
}
