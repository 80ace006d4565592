/**
 * Tracks the calls that a gRPC server has under way, so that a shutdown can wait for them and then end the
 * rest.
 */
import {
  type ServerInterceptingCall,
  type ServerInterceptingCallInterface,
  type ServerInterceptor,
  status,
} from '@grpc/grpc-js';
import { sessionOf } from '../grpc-js/server-internals.js';

type InterceptingServerListener = Parameters<ServerInterceptingCallInterface['start']>[0];

/**
 * The result of an interceptor. grpc-js declares it as a class, but uses only the interface of that class.
 */
type InterceptedCall = ServerInterceptingCall;

/** Knows which calls one server has under way, and can end them. */
export class CallTracker {
  /** The calls under way, each with the path of its method. */
  private readonly calls = new Map<ServerInterceptingCallInterface, string>();

  /**
   * The interceptor that the server must use. It adds no layer to a call: it replaces methods of the call
   * object.
   */
  readonly interceptor: ServerInterceptor = (method, call) => {
    const tracked: ServerInterceptingCallInterface = call;
    this.calls.set(tracked, method.path);
    const sendStatus = tracked.sendStatus.bind(tracked);
    tracked.sendStatus = (outcome) => {
      this.calls.delete(tracked);
      // If the handler sent a message after the status, the stream would break before the status is sent.
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
   * @param path ends only the calls of this method; default: all calls
   * @returns how many calls were ended
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
