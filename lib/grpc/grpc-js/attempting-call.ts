/**
 * The private parts of grpc-js that `grpc-private-attempts.ts` relies on to govern the attempts of a call,
 * and the mark of the calls that it governs.
 */
import type { MethodConfig, status, StatusObject } from '@grpc/grpc-js';
import { LoadBalancingCall } from '@grpc/grpc-js/build/src/load-balancing-call.js';
import { RetryingCall } from '@grpc/grpc-js/build/src/retrying-call.js';
import type { RetryThrottle } from '../../balance/load/retry-throttle.js';

/** The config selector of this library sets this key on its calls. */
export const OWN_CALL = Symbol('nestjs_grpc_discovery_own_call');

/** The rules for the attempts of a call. */
export interface AttemptRules {
  /** This throttle must allow every attempt but the first; `undefined`: all attempts are allowed. */
  readonly throttle: RetryThrottle | undefined;
  /** This throttle must allow each repetition of an attempt that servers have refused more than once. */
  readonly refusals: RetryThrottle;
}

/** The mark in the config of a call of this library. */
export interface OwnCallMark {
  readonly [OWN_CALL]: AttemptRules;
}

/** The part of grpc-js's `LoadBalancingCall` that is used. */
interface Attempt {
  /** The attempt's stream on a connection; `null` while the attempt waits for a connection. */
  readonly child: object | null;
  getPeer(): string;
}

/** The part of grpc-js's `RetryingCall` that is used or replaced. */
export interface AttemptingCall {
  readonly callConfig: Partial<OwnCallMark> & { readonly methodConfig: MethodConfig };
  readonly channel: { getTarget(): string };
  readonly listener: { onReceiveMetadata(headers: StatusObject['metadata']): void } | null;
  /** `RETRY`, `HEDGING`, `NO_RETRY`, or another state of grpc-js. */
  readonly state: string;
  readonly maxAttempts: number;
  /** How many attempts there were, including attempts that were not sent. */
  attempts: number;
  /** Whether an attempt that a server refused has been sent once more. */
  transparentRetryUsed: boolean;
  retryThrottler:
    Pick<RetryThrottle, 'addCallFailed' | 'addCallSucceeded' | 'canRetryCall'> | undefined;
  hedgingTimer: NodeJS.Timeout | null;
  readonly underlyingCalls: readonly { readonly state: string; readonly call: Attempt }[];
  start(metadata: unknown, listener: unknown): void;
  maybeStartHedgingAttempt(): void;
  maybeStartHedgingTimer(): void;
  maybeRetryCall(pushbackMs: number | null, callback: (isRetried: boolean) => void): void;
  getPushback(trailers: StatusObject['metadata']): number | null;
  handleChildStatus(ended: StatusObject, index: number): void;
  handleProcessedStatus(ended: StatusObject, index: number, pushbackMs: number | null): void;
  isStatusCodeInList(list: readonly (status | string)[], code: status): boolean;
  commitCall(index: number): void;
  reportStatus(ended: StatusObject): void;
  cancelWithStatus(code: status, details: string): void;
  getDeadlineInfo(): string[];
}

/** grpc-js's state of a call that is not answered yet and may be retried. */
export const RETRY = 'RETRY';
/** grpc-js's state of a call that is not answered yet and may be hedged. */
export const HEDGING = 'HEDGING';
/** grpc-js's state of a call that was cancelled, or whose channel has switched retries off. */
export const NO_RETRY = 'NO_RETRY';
/** grpc-js's state of an attempt that has not ended. */
export const ACTIVE = 'ACTIVE';

/** Methods that `RetryingCall` must have: this library refuses a grpc-js without one of them. */
const REQUIRED_METHODS = [
  'start',
  'maybeStartHedgingAttempt',
  'maybeStartHedgingTimer',
  'maybeRetryCall',
  'getPushback',
  'handleChildStatus',
  'handleProcessedStatus',
  'isStatusCodeInList',
  'commitCall',
  'reportStatus',
  'cancelWithStatus',
  'getDeadlineInfo',
] as const;
const REQUIRED_FIELDS = [
  'channel',
  'listener',
  'callConfig',
  'state',
  'maxAttempts',
  'attempts',
  'transparentRetryUsed',
  'retryThrottler',
  'hedgingTimer',
  'underlyingCalls',
] as const;

/** The names of required methods and fields that grpc-js's calls lack; empty: this grpc-js fits. */
export function missingFromAttempts(
  type: typeof RetryingCall = RetryingCall,
  attemptType: typeof LoadBalancingCall = LoadBalancingCall,
): string[] {
  const prototype: unknown = type?.prototype;
  const methods = REQUIRED_METHODS.filter(
    (name) => typeof (prototype as Partial<AttemptingCall> | undefined)?.[name] !== 'function',
  );
  if (methods.length > 0) return methods.map((name) => `RetryingCall.${name}`);
  // This call is never started: the constructor only keeps its arguments.
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

/** Whether an attempt of the call is under way, or waits for a connection. */
export function hasActiveAttempt({ underlyingCalls }: AttemptingCall): boolean {
  return underlyingCalls.some(({ state }) => state === ACTIVE);
}

/** Whether the throttle forbids the call another attempt. */
export function isThrottled({ retryThrottler }: AttemptingCall): boolean {
  return retryThrottler?.canRetryCall() === false;
}
