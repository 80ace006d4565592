/**
 * When the hedges of a call are sent (gRFC A6). grpc-js sends them while the first attempt still waits for a connection, sends them
 * although a server asked for a pause, and starts a timer for each pause which outlives the call. Here a call has one timer.
 */
import type { StatusObject } from '@grpc/grpc-js';
import {
  ACTIVE,
  type AttemptingCall,
  hasActiveAttempt,
  HEDGING,
  isThrottled,
} from './attempting-call.js';

/** How often a hedged call looks whether its attempt has been sent, in milliseconds. */
const UNSENT_CHECK_MS = 50;

/** What a call remembers of its attempts that failed. */
interface Failure {
  /** How the last one ended: so does the call, if no other attempt follows. */
  readonly ended: StatusObject;
  readonly index: number;
  /** Until when no hedge is sent, because a server asked for that; on the clock of `performance.now()`. */
  readonly pausedUntilMs: number;
}

const failures = new WeakMap<AttemptingCall, Failure>();

/**
 * Sends the next hedge of a call, if it may be sent.
 *
 * @param send gRPC's own way to do so
 */
export function nextHedge(call: AttemptingCall, send: () => void): void {
  const isDue = call.state === HEDGING && call.attempts < call.maxAttempts;
  if (isDue && isUnsent(call)) awaitSent(call);
  else if (isDue && isThrottled(call)) skipHedge(call);
  else send();
}

/**
 * An attempt of a hedged call failed in a way that lets the others go on. The next hedge is sent at once, or after the longest of the
 * pauses that servers asked for; a call without an attempt under way, and without another to come, ends at once.
 *
 * @param pushbackMs the pause; `null`: none, negative: no further attempt
 */
export function hedgeFailed(
  call: AttemptingCall,
  ended: StatusObject,
  index: number,
  pushbackMs: number | null,
): void {
  call.retryThrottler?.addCallFailed();
  const nowMs = performance.now();
  const pausedUntilMs = Math.max(failures.get(call)?.pausedUntilMs ?? 0, nowMs + (pushbackMs ?? 0));
  failures.set(call, { ended, index, pausedUntilMs });
  if (pushbackMs !== null && pushbackMs < 0) call.attempts = call.maxAttempts;
  const isLast = call.attempts >= call.maxAttempts;
  if (isLast) stopHedging(call);
  if (isLast || isThrottled(call)) endWithoutAttempt(call);
  if (!isLast && call.state === HEDGING) pause(call, pausedUntilMs - nowMs);
}

/** For a call that has been decided. */
export function stopHedging(call: AttemptingCall): void {
  if (call.hedgingTimer !== null) clearTimeout(call.hedgingTimer);
  call.hedgingTimer = null;
}

function pause(call: AttemptingCall, delayMs: number): void {
  stopHedging(call);
  call.hedgingTimer = setTimeout(() => {
    call.hedgingTimer = null;
    call.maybeStartHedgingAttempt();
    endWithoutAttempt(call);
  }, delayMs);
  // A server must not keep the process alive. What is sent at once is sent, whatever else the process does.
  if (delayMs > 0) call.hedgingTimer.unref();
}

/** The call ends as its last attempt did. */
function endWithoutAttempt(call: AttemptingCall): void {
  const failure = failures.get(call);
  if (failure === undefined || hasActiveAttempt(call)) return;
  call.commitCall(failure.index);
  call.reportStatus(failure.ended);
}

/** Whether an attempt waits for a connection still. */
function isUnsent({ underlyingCalls }: AttemptingCall): boolean {
  return underlyingCalls.some(({ state, call }) => state === ACTIVE && call.child === null);
}

/** Once the attempt has been sent, it has the whole delay to be answered. */
function awaitSent(call: AttemptingCall): void {
  stopHedging(call);
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
  if (hasActiveAttempt(call)) call.maybeStartHedgingTimer();
}
