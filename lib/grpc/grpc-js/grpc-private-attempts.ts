/**
 * Changes how grpc-js makes the attempts of a call, where grpc-js has no option for it: methods of its
 * private `RetryingCall` are replaced, with effect on calls of this library only.
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

/** The longest delay of a timer, in milliseconds: Node turns a longer delay into 1 ms. */
const LONGEST_DELAY_MS = 2 ** 31 - 1;

/** How many refused attempts end a call: as many attempts as gRPC gives a call at most (gRFC A6). */
const MAX_REFUSALS = 5;

let isGoverned = false;
let ourSchemes: ReadonlySet<string> = new Set();

/**
 * Replaces the methods, once per process. Calls of other channels stay as they are.
 *
 * - Throttle: grpc-js keeps one for all channels to a target, and the channel that resolves last decides
 *   whether there is one, so that a client without retries would end the throttling of another. Here a call
 *   uses the throttle of its own channel.
 * - Hedges: gRFC A6 demands that the throttle is asked before each hedge. grpc-js never asks it; here it is
 *   asked.
 * - Waiting attempts: an attempt that waits for a connection gets no hedge. The hedge would wait as well, and
 *   both would be sent together.
 * - Pauses that a server asks for (`grpc-retry-pushback-ms`): a pause delays all hedges of the call, but not
 *   the end of a call that has no further attempt. If a pause cannot be read or is longer than a timer can
 *   wait, grpc-js sends the next attempt at once. Here an unreadable pause ends the attempts, and a longer
 *   one lasts as long as a timer can wait.
 * - Deadlines: a hedged call that is unanswered at its deadline counts as failed, because a server that takes
 *   every call and answers none in time is overloaded too.
 * - Headers: the headers of an answer that broke off are reported only if no other attempt follows, see
 *   `whole-answer.ts`.
 * - Refusals: a stream that a server refused before anything ran is sent again up to four times; grpc-js
 *   sends it again once. When several servers stop together, the second server of a call may be stopping as
 *   well.
 * - Errors that blame the caller, such as `NOT_FOUND`: they refill the throttle as `OK` does. In grpc-js only
 *   `OK` refills it.
 *
 * A plain channel with a service config of its own keeps grpc-js's throttle, headers and refusals; the other
 * rules hold for it.
 *
 * @param schemes the schemes of this library's resolvers, in lower case; more may be added later
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

/** The number of refusals of each call that servers have refused more than once. */
const refused = new WeakMap<AttemptingCall, number>();

/**
 * Lets grpc-js send a refused attempt again more than once. Each further time takes a token, and each `OK`
 * gives a share of a token back. If servers refuse all the time, the tokens run out, and calls are not sent
 * five times each.
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
    // grpc-js itself would ask the throttle only after the pause.
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

/**
 * Whether a call belongs to a client of this library, or to a plain channel with a service config of its own
 * whose target has a scheme of this library.
 */
function isOurs({ callConfig, channel }: AttemptingCall): boolean {
  if (callConfig[OWN_CALL] !== undefined) return true;
  const [scheme = ''] = channel.getTarget().split(':', 1);
  return ourSchemes.has(scheme.toLowerCase());
}

function mayBeHedged(call: AttemptingCall, { code }: StatusObject): boolean {
  const codes = call.callConfig.methodConfig.hedgingPolicy?.nonFatalStatusCodes ?? [];
  return call.state === HEDGING && call.isStatusCodeInList(codes, code);
}

/**
 * The pause that a server asks for, in milliseconds. `null`: the server asks for no pause, and gRPC's own
 * delay applies. -1: the call gets no further attempt; also if the text cannot be read.
 */
function pushbackMs(trailers: StatusObject['metadata']): number | null {
  const text = trailers.get('grpc-retry-pushback-ms')[0]?.toString();
  if (text === undefined) return null;
  return /^\d+$/.test(text) ? Math.min(Number(text), LONGEST_DELAY_MS) : -1;
}

/**
 * Takes one token for a hedged call that is unanswered at its deadline. One token for each of its attempts
 * would soon leave none for other calls.
 */
function countUnanswered(call: AttemptingCall): void {
  const { state, underlyingCalls, retryThrottler } = call;
  if (state !== HEDGING || !isOurs(call)) return;
  const sent = underlyingCalls.filter((attempt) => attempt.call.child !== null);
  if (sent.length > 1 && sent.some((attempt) => attempt.state === ACTIVE)) {
    retryThrottler?.addCallFailed();
  }
}

/** Whether a server ended the attempt with an error that blames the caller and is not retried. */
function blamesCaller(call: AttemptingCall, code: status, index: number): boolean {
  const attempt = call.underlyingCalls[index];
  if (code === status.OK || callOutcome(code) !== 'success') return false;
  // In these cases the code is not from a server. A cancelled call ends with the code of its cancellation. An
  // attempt that was never sent ends with a code of this process.
  if (call.state === NO_RETRY || attempt?.state !== ACTIVE || attempt.call.child === null) {
    return false;
  }
  return retriedCodes(call.callConfig.methodConfig)?.has(code) !== true;
}

/**
 * Says how many attempts there were and where they went. grpc-js itself only counts the earlier attempts and
 * names the address of the last one.
 */
function withAttempts({ underlyingCalls, maxAttempts }: AttemptingCall, known: string[]): string[] {
  const peers = underlyingCalls.map(({ call }) => call.getPeer());
  const others = known.filter((text) => !text.startsWith('previous attempts:'));
  return [`attempts: ${peers.length} of ${maxAttempts} (${peers.join(' ')})`, ...others];
}
