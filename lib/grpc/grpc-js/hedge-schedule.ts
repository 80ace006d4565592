/**
 * Decides when the hedges of a call are sent (gRFC A6). grpc-js sends hedges while the first attempt still
 * waits for a connection, sends them although a server asked for a pause, and starts for each pause a timer
 * that outlives the call. Here hedges wait in both cases, and a call has one timer.
 */
import type { StatusObject } from '@grpc/grpc-js';
import {
  ACTIVE,
  type AttemptingCall,
  hasActiveAttempt,
  HEDGING,
  isThrottled,
} from './attempting-call.js';

/** How often to check whether the attempt of a hedged call has been sent, in milliseconds. */
const UNSENT_CHECK_MS = 50;

/** What a call remembers of its attempts that failed. */
interface Failure {
  /** The status of the last attempt that failed: the call ends with it if no other attempt follows. */
  readonly ended: StatusObject;
  readonly index: number;
  /**
   * No hedge is sent before this time, because a server asked for a pause; on the clock of
   * `performance.now()`.
   */
  readonly pausedUntilMs: number;
}

const failures = new WeakMap<AttemptingCall, Failure>();

/**
 * Sends the next hedge of a call, if it may be sent.
 *
 * @param send grpc-js's own way to send it
 */
export function nextHedge(call: AttemptingCall, send: () => void): void {
  const isDue = call.state === HEDGING && call.attempts < call.maxAttempts;
  if (isDue && isUnsent(call)) awaitSent(call);
  else if (isDue && isThrottled(call)) skipHedge(call);
  else send();
}

/**
 * Called when an attempt of a hedged call has failed with a status that lets its other attempts go on. The
 * next hedge is sent at once, or after the longest of the pauses that servers asked for. A call without an
 * attempt under way, and without another to come, ends at once.
 *
 * @param pushbackMs the pause that the server asked for, in milliseconds; `null`: the server asked for none,
 *   so this failure delays no hedge; negative: no further attempt
 */
export function hedgeFailed(
  call: AttemptingCall,
  ended: StatusObject,
  index: number,
  pushbackMs: number | null,
): void {
  call.retryThrottler?.addCallFailed();
  const nowMs = performance.now();
  const earlierMs = failures.get(call)?.pausedUntilMs ?? nowMs;
  const pausedUntilMs = Math.max(earlierMs, nowMs + (pushbackMs ?? 0));
  failures.set(call, { ended, index, pausedUntilMs });
  if (pushbackMs !== null && pushbackMs < 0) call.attempts = call.maxAttempts;
  const isLast = call.attempts >= call.maxAttempts;
  stopHedging(call);
  if (isLast || isThrottled(call)) endWithoutAttempt(call);
  if (!isLast && call.state === HEDGING) pause(call, pausedUntilMs - nowMs);
}

/** Stops the timer of a call that sends no further hedge. */
export function stopHedging(call: AttemptingCall): void {
  if (call.hedgingTimer !== null) clearTimeout(call.hedgingTimer);
  call.hedgingTimer = null;
}

function pause(call: AttemptingCall, delayMs: number): void {
  call.hedgingTimer = setTimeout(() => {
    call.hedgingTimer = null;
    call.maybeStartHedgingAttempt();
    endWithoutAttempt(call);
  }, delayMs);
  // The timer of a pause that a server asked for must not keep the process alive; the timer of a hedge that
  // is due now may.
  if (delayMs > 0) call.hedgingTimer.unref();
}

/** Ends a call that has no attempt under way with the status of its last failed attempt. */
function endWithoutAttempt(call: AttemptingCall): void {
  const failure = failures.get(call);
  if (failure === undefined || hasActiveAttempt(call)) return;
  call.commitCall(failure.index);
  call.reportStatus(failure.ended);
}

/** Whether an attempt of the call still waits for a connection. */
function isUnsent({ underlyingCalls }: AttemptingCall): boolean {
  return underlyingCalls.some(({ state, call }) => state === ACTIVE && call.child === null);
}

/**
 * Starts the hedging delay once the attempt has been sent, so that a server has the whole delay to answer.
 */
function awaitSent(call: AttemptingCall): void {
  stopHedging(call);
  call.hedgingTimer = setTimeout(() => {
    if (isUnsent(call)) awaitSent(call);
    else call.maybeStartHedgingTimer();
  }, UNSENT_CHECK_MS);
  call.hedgingTimer.unref();
}

/**
 * Skips a hedge that the throttle forbids. It is not sent later; the throttle is asked again when the next
 * hedge is due (gRFC A6).
 */
function skipHedge(call: AttemptingCall): void {
  call.attempts++;
  // If no attempt is under way, no timer is started: the call ends with its last failure.
  if (hasActiveAttempt(call)) call.maybeStartHedgingTimer();
}
