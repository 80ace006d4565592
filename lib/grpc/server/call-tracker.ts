/** Knows which calls a gRPC server has under way, so that they can be waited for, and at last be ended in good order. */
import {
  type ServerInterceptingCall,
  type ServerInterceptingCallInterface,
  type ServerInterceptor,
  status,
} from '@grpc/grpc-js';
import { sessionOf } from '../grpc-js/server-internals.js';

type InterceptingServerListener = Parameters<ServerInterceptingCallInterface['start']>[0];

/** What an interceptor may hand on: grpc-js types it as its class, and uses its interface only. */
type InterceptedCall = ServerInterceptingCall;

/** The calls of one server. */
export class CallTracker {
  /** With the path of their methods. */
  private readonly calls = new Map<ServerInterceptingCallInterface, string>();

  /** To be among the server's interceptors. It adds no layer to a call: it listens on the call itself. */
  readonly interceptor: ServerInterceptor = (method, call) => {
    const tracked: ServerInterceptingCallInterface = call;
    this.calls.set(tracked, method.path);
    const sendStatus = tracked.sendStatus.bind(tracked);
    tracked.sendStatus = (outcome) => {
      this.calls.delete(tracked);
      // A message of the handler that came after the status would break the stream before the status has left.
      tracked.sendMessage = () => {};
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
   * Ends calls with `UNAVAILABLE`, which tells the client that it may try elsewhere.
   *
   * @param path only those of this method; by default all
   * @returns how many there were
   */
  end(details: string, path?: string): number {
    const calls = [...this.calls].filter(([, method]) => path === undefined || method === path);
    for (const [call] of calls) call.sendStatus({ code: status.UNAVAILABLE, details });
    return calls.length;
  }

  /**
   * Ends the calls of one connection with `UNAVAILABLE`.
   *
   * @param session the connection's HTTP/2 session
   */
  endOf(session: unknown, details: string): void {
    for (const call of this.calls.keys()) {
      if (sessionOf(call) === session) call.sendStatus({ code: status.UNAVAILABLE, details });
    }
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
