/**
 * How gRPC makes the attempts of a call, where grpc-js has no way to say so: methods of its `RetryingCall` are replaced, for calls of
 * ours alone. Beside `grpc-experimental.ts` the only file that depends on what grpc-js does not promise.
 */
import { type MethodConfig, status } from '@grpc/grpc-js';
import { LoadBalancingCall } from '@grpc/grpc-js/build/src/load-balancing-call.js';
import { RetryingCall } from '@grpc/grpc-js/build/src/retrying-call.js';
import { callOutcome } from '../balance/call-outcome.js';
import type { RetryThrottle } from '../balance/retry-throttle.js';
import { retriedCodes } from './retry-policy.js';

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

/** The part of grpc-js's `LoadBalancingCall` this file relies on. */
interface Attempt {
  /** Its stream on a connection; `null` while it waits for one. */
  readonly child: object | null;
  getPeer(): string;
}

/** The part of grpc-js's `RetryingCall` this file relies on. */
interface AttemptingCall {
  readonly callConfig: Partial<OwnCallMark> & { readonly methodConfig: MethodConfig };
  readonly state: string;
  readonly maxAttempts: number;
  /** How many there were, those that were not sent included. */
  attempts: number;
  retryThrottler:
    Pick<RetryThrottle, 'addCallFailed' | 'addCallSucceeded' | 'canRetryCall'> | undefined;
  hedgingTimer: NodeJS.Timeout | null;
  readonly underlyingCalls: readonly { readonly state: string; readonly call: Attempt }[];
  start(metadata: unknown, listener: unknown): void;
  maybeStartHedgingAttempt(): void;
  maybeStartHedgingTimer(): void;
  handleChildStatus(ended: { readonly code: status }, index: number): void;
  cancelWithStatus(code: status, details: string): void;
  getDeadlineInfo(): string[];
}

/** Methods that are replaced or called, and fields that are used: a release without one of these does not fit. */
const REQUIRED_METHODS = [
  'start',
  'maybeStartHedgingAttempt',
  'maybeStartHedgingTimer',
  'handleChildStatus',
  'cancelWithStatus',
  'getDeadlineInfo',
] as const;
const REQUIRED_FIELDS = [
  'callConfig',
  'state',
  'maxAttempts',
  'attempts',
  'retryThrottler',
  'hedgingTimer',
  'underlyingCalls',
] as const;
/** What a call is until it has been answered, while it may be hedged. */
const HEDGING = 'HEDGING';
/** What a call is that has been cancelled, or may have one attempt only. */
const NO_RETRY = 'NO_RETRY';
/** What an attempt is until it has ended. */
const ACTIVE = 'ACTIVE';

/** How often a hedged call looks whether its attempt has been sent, in milliseconds. */
const UNSENT_CHECK_MS = 50;

/** What grpc-js's calls lack of that, by name; nothing where it fits. */
export function missingFromAttempts(
  type: typeof RetryingCall = RetryingCall,
  attemptType: typeof LoadBalancingCall = LoadBalancingCall,
): string[] {
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
  const missing = REQUIRED_FIELDS.filter((name) => !(name in call));
  const attempt: object = Reflect.construct(attemptType, [{ getServiceUrl: () => '' }]);
  return [
    ...missing.map((name) => `RetryingCall.${name}`),
    ...('child' in attempt ? [] : ['LoadBalancingCall.child']),
  ];
}

let isGoverned = false;

/**
 * Replaces the methods, once per process. Calls of other channels go on as before.
 *
 * - grpc-js keeps one throttle for all channels to a target, and the last of them to resolve decides whether there is one: a client
 *   without retries would end the throttling of another. A call of ours goes by the throttle of its own channel.
 * - grpc-js never asks the throttle before a hedge, as gRFC A6 demands.
 * - An attempt that waits for a connection gets no hedge: it would wait beside it, and both would be sent together.
 * - A hedged call that is still unanswered at the deadline counts as failed: a server that takes every call and answers none in time
 *   is overloaded too.
 * - An answer that blames the caller (`NOT_FOUND`) fills the bucket as any other; in grpc-js only `OK` does.
 */
export function governAttempts(): void {
  if (isGoverned) return;
  isGoverned = true;
  const calls = RetryingCall.prototype as unknown as AttemptingCall;
  const { start, maybeStartHedgingAttempt, handleChildStatus, cancelWithStatus, getDeadlineInfo } =
    calls;
  calls.start = function (this: AttemptingCall, metadata, listener) {
    const rules = this.callConfig[OWN_CALL];
    if (rules !== undefined) this.retryThrottler = rules.throttle;
    start.call(this, metadata, listener);
  };
  calls.maybeStartHedgingAttempt = function (this: AttemptingCall) {
    if (!isOwn(this) || !mayHaveHedge(this)) maybeStartHedgingAttempt.call(this);
    else if (isUnsent(this)) awaitSent(this);
    else if (this.retryThrottler?.canRetryCall() === false) skipHedge(this);
    else maybeStartHedgingAttempt.call(this);
  };
  calls.handleChildStatus = function (this: AttemptingCall, ended, index) {
    if (isOwn(this) && blamesCaller(this, ended.code, index)) {
      this.retryThrottler?.addCallSucceeded();
    }
    handleChildStatus.call(this, ended, index);
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

/** Whether gRPC would send another hedge now; whatever it would do otherwise is its own matter. */
function mayHaveHedge({ state, attempts, maxAttempts }: AttemptingCall): boolean {
  return state === HEDGING && attempts < maxAttempts;
}

/** Whether an attempt waits for a connection still. */
function isUnsent({ underlyingCalls }: AttemptingCall): boolean {
  return underlyingCalls.some(({ state, call }) => state === ACTIVE && call.child === null);
}

/** Once the attempt has been sent, it has the whole delay to be answered. */
function awaitSent(call: AttemptingCall): void {
  if (call.hedgingTimer !== null) clearTimeout(call.hedgingTimer);
  call.hedgingTimer = setTimeout(() => {
    if (isUnsent(call)) awaitSent(call);
    else call.maybeStartHedgingTimer();
  }, UNSENT_CHECK_MS);
  call.hedgingTimer.unref();
}

/** A hedge that is throttled is not sent later; the next one is asked about when its turn comes (gRFC A6). */
function skipHedge(call: AttemptingCall): void {
  call.attempts++;
  // Without another attempt under way the call ends now, with the failure that brought it here.
  if (call.underlyingCalls.some(({ state }) => state === ACTIVE)) call.maybeStartHedgingTimer();
}

/** One token, as of any call that failed: its hedges would take the others away with theirs. */
function countUnanswered(call: AttemptingCall): void {
  const { state, underlyingCalls, retryThrottler } = call;
  if (!isOwn(call) || state !== HEDGING) return;
  const sent = underlyingCalls.filter((attempt) => attempt.call.child !== null);
  if (sent.length > 1 && sent.some((attempt) => attempt.state === ACTIVE)) {
    retryThrottler?.addCallFailed();
  }
}

/** Whether a server ended the attempt with an error that is the caller's, and that is not tried again. */
function blamesCaller(call: AttemptingCall, code: status, index: number): boolean {
  const attempt = call.underlyingCalls[index];
  if (code === status.OK || callOutcome(code) !== 'success') return false;
  // A cancelled call has the code with which it was cancelled, an attempt that was not sent one of this process.
  if (call.state === NO_RETRY || attempt?.state !== ACTIVE || attempt.call.child === null) {
    return false;
  }
  return retriedCodes(call.callConfig.methodConfig)?.has(code) !== true;
}

/** How many attempts there were and where they went: grpc-js counts the earlier ones, and names the last one's address. */
function withAttempts({ underlyingCalls, maxAttempts }: AttemptingCall, known: string[]): string[] {
  const peers = underlyingCalls.map(({ call }) => call.getPeer());
  const others = known.filter((text) => !text.startsWith('previous attempts:'));
  return [`attempts: ${peers.length} of ${maxAttempts} (${peers.join(' ')})`, ...others];
}
