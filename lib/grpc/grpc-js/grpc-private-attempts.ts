/**
 * How gRPC makes the attempts of a call, where grpc-js has no way to say so: methods of its `RetryingCall` are replaced, for calls of
 * ours alone. Beside `grpc-experimental.ts` the only place that depends on what grpc-js does not promise.
 */
import { status, type StatusObject } from '@grpc/grpc-js';
import { RetryingCall } from '@grpc/grpc-js/build/src/retrying-call.js';
import { callOutcome } from '../../balance/load/call-outcome.js';
import type { RetryThrottle } from '../../balance/load/retry-throttle.js';
import {
  ACTIVE,
  type AttemptingCall,
  HEDGING,
  isThrottled,
  NO_RETRY,
  OWN_CALL,
  RETRY,
} from './attempting-call.js';
import { hedgeFailed, nextHedge, stopHedging } from './hedge-schedule.js';
import { retriedCodes } from './retried-codes.js';
import { type AttemptStatus, KEPT_HEADERS } from './whole-answer.js';

/** The longest delay a timer can hold, in milliseconds: it takes anything longer for 1. */
const LONGEST_DELAY_MS = 2 ** 31 - 1;

/** Attempts of one call that servers may refuse, of which the last one ends it: the most attempts that gRPC gives a call (gRFC A6). */
const MAX_REFUSALS = 5;

let isGoverned = false;
let ourSchemes: ReadonlySet<string> = new Set();

/**
 * Replaces the methods, once per process. Calls of other channels go on as before.
 *
 * - grpc-js keeps one throttle for all channels to a target, and the last of them to resolve decides whether there is one: a client
 *   without retries would end the throttling of another. A call of ours goes by the throttle of its own channel.
 * - grpc-js never asks the throttle before a hedge, as gRFC A6 demands.
 * - An attempt that waits for a connection gets no hedge: it would wait beside it, and both would be sent together.
 * - A pause that a server asks for (`grpc-retry-pushback-ms`) holds back all hedges of the call, and no call that has no attempt to
 *   come. In grpc-js one that cannot be read, or is longer than a timer can wait, means at once; here never, or as long as it can.
 * - A hedged call that is still unanswered at the deadline counts as failed: a server that takes every call and answers none in time
 *   is overloaded too.
 * - The headers of an answer that broke off are heard only where no other attempt follows, see `whole-answer.ts`.
 * - A stream that a server refused before anything ran is sent again up to four times; in grpc-js once. When several servers stop
 *   together, the second one that a call is sent to may be stopping as well.
 * - An answer that blames the caller (`NOT_FOUND`) fills the bucket as any other; in grpc-js only `OK` does.
 *
 * A plain channel that has a service config of its own goes by grpc-js's throttle, and by these rules in all else.
 *
 * @param schemes those of ours, in lower case; may grow
 */
export function governAttempts(schemes: ReadonlySet<string>): void {
  if (isGoverned) return;
  isGoverned = true;
  ourSchemes = schemes;
  const calls = RetryingCall.prototype as unknown as AttemptingCall;
  governRetries(calls);
  governHedges(calls);
  const { start, handleChildStatus, reportStatus, cancelWithStatus, getDeadlineInfo } = calls;
  calls.start = function (this: AttemptingCall, metadata, listener) {
    const rules = this.callConfig[OWN_CALL];
    if (rules !== undefined) this.retryThrottler = rules.throttle;
    start.call(this, metadata, listener);
  };
  calls.handleChildStatus = function (this: AttemptingCall, ended: AttemptStatus, index) {
    if (blamesCaller(this, ended.code, index) && isOurs(this)) {
      this.retryThrottler?.addCallSucceeded();
    }
    const refusals = this.callConfig[OWN_CALL]?.refusals;
    if (refusals !== undefined) countRefusal(this, refusals, ended, index);
    handleChildStatus.call(this, ended, index);
  };
  calls.reportStatus = function (this: AttemptingCall, ended: AttemptStatus) {
    const headers = ended[KEPT_HEADERS];
    if (headers !== undefined) this.listener?.onReceiveMetadata(headers);
    reportStatus.call(this, ended);
  };
  calls.cancelWithStatus = function (this: AttemptingCall, code, details) {
    if (code === status.DEADLINE_EXCEEDED) countUnanswered(this);
    cancelWithStatus.call(this, code, details);
  };
  calls.getDeadlineInfo = function (this: AttemptingCall) {
    const known = getDeadlineInfo.call(this);
    return isOurs(this) ? withAttempts(this, known) : known;
  };
}

/** How often each call that was refused more than once has been refused. */
const refused = new WeakMap<AttemptingCall, number>();

/**
 * Lets an attempt that a server refused be sent again, after the one time for which grpc-js does. Each of these takes a token, and a call
 * that is answered gives a share of one back: where servers refuse all the time, calls are not sent five times each.
 */
function countRefusal(
  call: AttemptingCall,
  throttle: RetryThrottle,
  { code, progress }: AttemptStatus,
  index: number,
): void {
  if (code === status.OK) throttle.addCallSucceeded();
  if (!call.transparentRetryUsed || progress !== 'REFUSED') return;
  if (call.underlyingCalls[index]?.state !== ACTIVE) return;
  const count = (refused.get(call) ?? 1) + 1;
  refused.set(call, count);
  if (count >= MAX_REFUSALS || !throttle.canRetryCall()) return;
  throttle.addCallFailed();
  call.transparentRetryUsed = false;
}

function governRetries(calls: AttemptingCall): void {
  const { getPushback, maybeRetryCall } = calls;
  calls.getPushback = function (this: AttemptingCall, trailers) {
    return isOurs(this) ? pushbackMs(trailers) : getPushback.call(this, trailers);
  };
  calls.maybeRetryCall = function (this: AttemptingCall, pause, callback) {
    // Else grpc-js asks the throttle only after the pause.
    if (isOurs(this) && this.state === RETRY && isThrottled(this)) callback(false);
    else maybeRetryCall.call(this, pause, callback);
  };
}

function governHedges(calls: AttemptingCall): void {
  const { maybeStartHedgingAttempt, handleProcessedStatus, commitCall } = calls;
  calls.maybeStartHedgingAttempt = function (this: AttemptingCall) {
    const send = (): void => maybeStartHedgingAttempt.call(this);
    if (isOurs(this)) nextHedge(this, send);
    else send();
  };
  calls.handleProcessedStatus = function (this: AttemptingCall, ended, index, pause) {
    if (isOurs(this) && mayBeHedged(this, ended)) hedgeFailed(this, ended, index, pause);
    else handleProcessedStatus.call(this, ended, index, pause);
  };
  calls.commitCall = function (this: AttemptingCall, index) {
    commitCall.call(this, index);
    if (this.hedgingTimer !== null && isOurs(this)) stopHedging(this);
  };
}

/** Whether it is a call of a client of ours, or of a plain channel that has a service config of its own and a target of ours. */
function isOurs({ callConfig, channel }: AttemptingCall): boolean {
  if (callConfig[OWN_CALL] !== undefined) return true;
  const [scheme = ''] = channel.getTarget().split(':', 1);
  return ourSchemes.has(scheme.toLowerCase());
}

function mayBeHedged(call: AttemptingCall, { code }: StatusObject): boolean {
  const codes = call.callConfig.methodConfig.hedgingPolicy?.nonFatalStatusCodes ?? [];
  return call.state === HEDGING && call.isStatusCodeInList(codes, code);
}

/** The pause a server asks for, in milliseconds; `null`: it asks for none, -1: no further attempt, also where it cannot be read. */
function pushbackMs(trailers: StatusObject['metadata']): number | null {
  const text = trailers.get('grpc-retry-pushback-ms')[0]?.toString();
  if (text === undefined) return null;
  return /^\d+$/.test(text) ? Math.min(Number(text), LONGEST_DELAY_MS) : -1;
}

/** One token, as of any call that failed: its hedges would take the others away with theirs. */
function countUnanswered(call: AttemptingCall): void {
  const { state, underlyingCalls, retryThrottler } = call;
  if (state !== HEDGING || !isOurs(call)) return;
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
