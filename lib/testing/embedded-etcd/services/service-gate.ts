/**
 * Runs before every method: checks whether there is a leader and whether the caller is allowed, and sends
 * refusals.
 */
import {
  type Metadata,
  type ServerDuplexStream,
  type ServerErrorResponse,
  type ServerUnaryCall,
  type UntypedServiceImplementation,
  type sendUnaryData,
  status,
} from '@grpc/grpc-js';
import type { CancelTimer, Clock } from '../../../core/clock.js';
import type { AuthBook } from '../store/auth-book.js';
import { EtcdError, type Refusal, refusal } from '../wire/etcd-error.js';
import { services } from '../wire/wire-schema.js';
import type { ServiceName } from '../wire/wire-schema.js';

/** How a unary method is served. */
export interface UnaryMethod {
  /**
   * What happens to a request while there is no leader. `serve`: the method serves it. A refusal: the request
   * waits for a leader and gets this refusal if none comes in time.
   */
  readonly withoutLeader: (request: never) => 'serve' | Refusal;
  /**
   * Whether the method needs no token. By default a caller needs a valid token while authentication is on.
   */
  readonly open?: boolean;
  /** The reply; throws `EtcdError` to refuse. */
  readonly reply: (request: never) => object;
}

/** The stream of a method that streams in both directions. */
export type DuplexCall = ServerDuplexStream<unknown, object>;

/** How a streamed method is served. */
type DuplexMethod = (call: DuplexCall) => void;

/** How the methods of one service are served; those left out answer UNIMPLEMENTED. */
export type ServiceMethodsServed = Readonly<Record<string, UnaryMethod | DuplexMethod>>;

/**
 * How long a request waits for a leader by default, in milliseconds: etcd's 5 s and two election timeouts.
 */
export const DEFAULT_LEADER_WAIT_MS = 7_000;

/** Passes calls on, delays them or refuses them. */
export class ServiceGate {
  private leader = true;
  private leaderWaitMs = DEFAULT_LEADER_WAIT_MS;
  private readonly waiting = new Set<(hasLeader: boolean) => void>();
  private readonly leaderStreams = new Set<DuplexCall>();

  constructor(
    private readonly clock: Clock,
    private readonly auth: AuthBook,
  ) {}

  /** Whether there is a leader. */
  get hasLeader(): boolean {
    return this.leader;
  }

  /**
   * Takes the leader away. Streams that require a leader end; requests that need a leader wait for
   * `leaderWaitMs` at most.
   */
  loseLeader(leaderWaitMs: number): void {
    this.leader = false;
    this.leaderWaitMs = leaderWaitMs;
    for (const call of this.leaderStreams) endWith(call, refusal('noLeader'));
    this.leaderStreams.clear();
  }

  /** Brings the leader back: waiting requests are served. */
  restoreLeader(): void {
    this.leader = true;
    this.settleWaiting(true);
  }

  /** Refuses the requests that wait for a leader. */
  close(): void {
    this.settleWaiting(false);
  }

  /** Calls back when there is a leader (`true`), or when the wait for one has taken too long (`false`). */
  whenLeader(callback: (hasLeader: boolean) => void): void {
    if (this.leader) return callback(true);
    let cancel: CancelTimer | undefined;
    const settle = (hasLeader: boolean): void => {
      cancel?.();
      this.waiting.delete(settle);
      callback(hasLeader);
    };
    this.waiting.add(settle);
    cancel = this.clock.setTimer(this.leaderWaitMs, () => settle(false));
  }

  /** The implementation of a service, in the form that a grpc-js server takes. */
  implementation(service: ServiceName, served: ServiceMethodsServed): UntypedServiceImplementation {
    return Object.fromEntries(
      Object.entries(services[service]).map(([name, [, reply]]) => {
        const method = served[name];
        if (method === undefined)
          return [name, unserved(service, name, reply.startsWith('stream '))];
        return [name, typeof method === 'function' ? this.duplex(method) : this.unary(method)];
      }),
    );
  }

  private unary(method: UnaryMethod) {
    return (call: ServerUnaryCall<unknown, object>, callback: sendUnaryData<object>): void => {
      const withoutLeader = this.leader ? 'serve' : method.withoutLeader(call.request as never);
      const answer = (hasLeader: boolean): void => {
        try {
          if (!hasLeader && withoutLeader !== 'serve') throw refusal(withoutLeader);
          callback(null, method.reply(call.request as never));
        } catch (error) {
          callback(toStatus(error));
        }
      };
      try {
        this.requireLeaderIfAsked(call.metadata);
        if (method.open !== true) this.auth.check(call.metadata);
      } catch (error) {
        return callback(toStatus(error));
      }
      if (withoutLeader === 'serve') answer(true);
      else this.whenLeader(answer);
    };
  }

  private duplex(method: DuplexMethod) {
    return (call: DuplexCall): void => {
      try {
        this.requireLeaderIfAsked(call.metadata);
      } catch (error) {
        return endWith(call, error);
      }
      if (asksForLeader(call.metadata)) {
        this.leaderStreams.add(call);
        call.once('close', () => this.leaderStreams.delete(call));
        call.once('cancelled', () => this.leaderStreams.delete(call));
      }
      method(call);
    };
  }

  private requireLeaderIfAsked(metadata: Metadata): void {
    if (!this.leader && asksForLeader(metadata)) throw refusal('noLeader');
  }

  private settleWaiting(hasLeader: boolean): void {
    for (const settle of this.waiting) settle(hasLeader);
  }
}

/** Ends a stream with the status of an error. */
export function endWith(call: DuplexCall, error: unknown): void {
  call.emit('error', toStatus(error));
}

function asksForLeader(metadata: Metadata): boolean {
  return metadata.get('hasleader')[0] === 'true';
}

function toStatus(error: unknown): ServerErrorResponse {
  const failure = error instanceof Error ? error : new Error(String(error));
  if (failure instanceof EtcdError) return Object.assign(failure, { details: failure.details });
  const details = `the embedded etcd failed: ${failure.message}`;
  return Object.assign(failure, { code: status.INTERNAL, details });
}

function unserved(service: ServiceName, name: string, replyStream: boolean) {
  const details =
    `${service}.${name} is not served by this embedded etcd, which is for development and tests only ` +
    '(nestjs-grpc-discovery/testing): use a real etcd for it';
  const error = new EtcdError(status.UNIMPLEMENTED, details);
  return replyStream
    ? (call: DuplexCall): void => endWith(call, error)
    : (_call: unknown, callback: sendUnaryData<object>): void => callback(error);
}
