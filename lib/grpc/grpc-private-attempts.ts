/**
 * How gRPC makes the attempts of a call, where grpc-js has no way to say so: methods of its `RetryingCall` are replaced, for calls of
 * ours alone. Beside `grpc-experimental.ts` the only file that depends on what grpc-js does not promise.
 */
import { status } from '@grpc/grpc-js';
import { RetryingCall } from '@grpc/grpc-js/build/src/retrying-call.js';
import type { RetryThrottle } from '../balance/retry-throttle.js';

/** Under this key a config selector marks the calls that are its own, and so ours. */
export const OWN_CALL = Symbol('nestjs_grpc_discovery_own_call');

/** What holds for the attempts of a call. */
export interface AttemptRules {
  /** Asked before each attempt but the first; `undefined`: never stop. */
  readonly throttle: RetryThrottle | undefined;
}

/** What a call config may carry of it. */
export interface OwnCallMark {
  readonly [OWN_CALL]: AttemptRules;
}

/** The part of grpc-js's `RetryingCall` this file relies on. */
interface AttemptingCall {
  readonly callConfig: Partial<OwnCallMark>;
  readonly state: string;
  readonly maxAttempts: number;
  /** How many there were, those that were not sent included. */
  attempts: number;
  retryThrottler: Pick<RetryThrottle, 'addCallFailed' | 'canRetryCall'> | undefined;
  readonly underlyingCalls: readonly {
    readonly state: string;
    readonly call: { getPeer(): string };
  }[];
  start(metadata: unknown, listener: unknown): void;
  maybeStartHedgingAttempt(): void;
  maybeStartHedgingTimer(): void;
  cancelWithStatus(code: status, details: string): void;
  getDeadlineInfo(): string[];
}

/** Methods that are replaced or called, and fields that are used: a release without one of these does not fit. */
const REQUIRED_METHODS = [
  'start',
  'maybeStartHedgingAttempt',
  'maybeStartHedgingTimer',
  'cancelWithStatus',
  'getDeadlineInfo',
] as const;
const REQUIRED_FIELDS = [
  'callConfig',
  'state',
  'maxAttempts',
  'attempts',
  'retryThrottler',
  'underlyingCalls',
] as const;
/** What a call is until it has been answered, while it may be hedged. */
const HEDGING = 'HEDGING';
/** What an attempt is until it has ended. */
const ACTIVE = 'ACTIVE';

/** What grpc-js's `RetryingCall` lacks of that, by name; nothing where it fits. */
export function missingFromAttempts(type: typeof RetryingCall = RetryingCall): string[] {
  const prototype: unknown = type?.prototype;
  const methods = REQUIRED_METHODS.filter(
    (name) => typeof (prototype as Partial<AttemptingCall> | undefined)?.[name] !== 'function',
  );
  if (methods.length > 0) return methods.map((name) => `RetryingCall.${name}`);
  // A call that is never started: the constructor only keeps what it is given.
  const call: object = Reflect.construct(type, [
    { getOptions: () => ({}) },
    { methodConfig: { name: [] } },
  ]);
  return REQUIRED_FIELDS.filter((name) => !(name in call)).map((name) => `RetryingCall.${name}`);
}

let isGoverned = false;

/**
 * Replaces the methods, once per process. Calls of other channels go on as before.
 *
 * - grpc-js keeps one throttle for all channels to a target, and the last of them to resolve decides whether there is one: a client
 *   without retries would end the throttling of another. A call of ours goes by the throttle of its own channel.
 * - grpc-js never asks the throttle before a hedge, as gRFC A6 demands.
 * - Hedges that are still unanswered at the deadline count as failed: a server that takes every call and answers none in time is
 *   overloaded too.
 */
export function governAttempts(): void {
  if (isGoverned) return;
  isGoverned = true;
  const calls = RetryingCall.prototype as unknown as AttemptingCall;
  const { start, maybeStartHedgingAttempt, cancelWithStatus, getDeadlineInfo } = calls;
  calls.start = function (this: AttemptingCall, metadata, listener) {
    const rules = this.callConfig[OWN_CALL];
    if (rules !== undefined) this.retryThrottler = rules.throttle;
    start.call(this, metadata, listener);
  };
  calls.maybeStartHedgingAttempt = function (this: AttemptingCall) {
    if (maySendHedge(this)) maybeStartHedgingAttempt.call(this);
    else skipHedge(this);
  };
  calls.cancelWithStatus = function (this: AttemptingCall, code, details) {
    if (code === status.DEADLINE_EXCEEDED) countUnanswered(this);
    cancelWithStatus.call(this, code, details);
  };
  calls.getDeadlineInfo = function (this: AttemptingCall) {
    const known = getDeadlineInfo.call(this);
    return isOwn(this) ? withAttempts(this, known) : known;
  };
}

function isOwn({ callConfig }: AttemptingCall): boolean {
  return callConfig[OWN_CALL] !== undefined;
}

function maySendHedge(call: AttemptingCall): boolean {
  return !isOwn(call) || call.state !== HEDGING || call.retryThrottler?.canRetryCall() !== false;
}

/** A hedge that is throttled is not sent later; the next one is asked about when its turn comes (gRFC A6). */
function skipHedge(call: AttemptingCall): void {
  call.attempts++;
  // Without another attempt under way the call ends now, with the failure that brought it here.
  if (call.underlyingCalls.some(({ state }) => state === ACTIVE)) call.maybeStartHedgingTimer();
}

function countUnanswered(call: AttemptingCall): void {
  const { state, underlyingCalls, retryThrottler } = call;
  if (!isOwn(call) || state !== HEDGING || underlyingCalls.length < 2) return;
  for (const attempt of underlyingCalls) {
    if (attempt.state === ACTIVE) retryThrottler?.addCallFailed();
  }
}

/** How many attempts there were and where they went: grpc-js counts the earlier ones, and names the last one's address. */
function withAttempts({ underlyingCalls, maxAttempts }: AttemptingCall, known: string[]): string[] {
  const peers = underlyingCalls.map(({ call }) => call.getPeer());
  const others = known.filter((text) => !text.startsWith('previous attempts:'));
  return [`attempts: ${peers.length} of ${maxAttempts} (${peers.join(' ')})`, ...others];
}
