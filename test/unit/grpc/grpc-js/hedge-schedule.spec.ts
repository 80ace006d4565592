/** When hedges are sent, on a fake clock. */
import { status } from '@grpc/grpc-js';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { RetryThrottle } from '../../../../lib/balance/load/retry-throttle.js';
import { governAttempts } from '../../../../lib/grpc/grpc-js/grpc-private-attempts.js';
import type { AttemptingCall } from '../../../../lib/grpc/grpc-js/attempting-call.js';
import { stopHedging } from '../../../../lib/grpc/grpc-js/hedge-schedule.js';
import { callTo, empty, ours } from '../scripted-call.js';

const PEERS = ['10.0.0.1:1', '10.0.0.2:1', '10.0.0.3:1'];

const { UNAVAILABLE, CANCELLED, DEADLINE_EXCEEDED } = status;
const hedged = (throttle?: RetryThrottle) =>
  callTo(PEERS, ours(throttle), { hedgingDelay: '0.1s' });

/** Waits for the next turn of the event loop, in which gRPC reports how a call ended. */
const nextTurn = () => new Promise((resolve) => setImmediate(resolve));

governAttempts(new Set());
beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
});
afterEach(() => {
  vi.useRealTimers();
});

describe('while the attempt of a call waits for a connection', () => {
  it('the call gets no hedge; the first hedge follows a whole delay after the attempt is sent', () => {
    const { call, attempts, connect } = callTo(PEERS, ours(), {
      hedgingDelay: '0.4s',
      isConnected: false,
    });
    vi.advanceTimersByTime(10_000);
    expect(attempts).toHaveLength(1);
    connect();
    vi.advanceTimersByTime(400);
    expect(attempts).toHaveLength(1);
    vi.advanceTimersByTime(50);
    expect(attempts).toHaveLength(2);
    // The hedges that were not sent in that time still count as unused.
    vi.advanceTimersByTime(400);
    expect(attempts).toHaveLength(3);
    call.cancelWithStatus(status.CANCELLED, '');
    expect(vi.getTimerCount()).toBe(0);
  });

  it('the call looks every 50 ms whether the attempt is sent', () => {
    const options = { hedgingDelay: '0.1s', isConnected: false };
    const { call, attempts, connect } = callTo(PEERS, ours(), options);
    vi.advanceTimersByTime(149);
    connect();
    // It looks after 150 ms, and the delay of the hedge begins then.
    vi.advanceTimersByTime(100);
    expect(attempts).toHaveLength(1);
    vi.advanceTimersByTime(1);
    expect(attempts).toHaveLength(2);
    call.cancelWithStatus(status.CANCELLED, '');
  });

  it('the deadline of the call takes no token', () => {
    const throttle = new RetryThrottle({ maxTokens: 2, tokenRatio: 1 });
    const { call } = callTo(PEERS, ours(throttle), { hedgingDelay: '0s', isConnected: false });
    vi.advanceTimersByTime(10_000);
    call.cancelWithStatus(status.DEADLINE_EXCEEDED, '');
    expect(throttle.canRetryCall()).toBe(true);
    expect(vi.getTimerCount()).toBe(0);
  });
});

describe('a pause that a server asks for', () => {
  it('delays all hedges of the call; the longest of several pauses counts', () => {
    const { call, attempts } = hedged();
    vi.advanceTimersByTime(100);
    attempts[0]?.end(UNAVAILABLE, '1500');
    attempts[1]?.end(UNAVAILABLE, '200');
    vi.advanceTimersByTime(1_499);
    expect(attempts).toHaveLength(2);
    vi.advanceTimersByTime(1);
    expect(attempts).toHaveLength(3);
    call.cancelWithStatus(CANCELLED, '');
  });

  it('still counts when another attempt fails without a pause', () => {
    const { call, attempts } = hedged();
    vi.advanceTimersByTime(100);
    attempts[0]?.end(UNAVAILABLE, '1500');
    attempts[1]?.end(UNAVAILABLE);
    vi.advanceTimersByTime(1_499);
    expect(attempts).toHaveLength(2);
    call.cancelWithStatus(CANCELLED, '');
  });

  it('does not delay the end of a call that has no further attempt', async () => {
    const { attempts, ended } = hedged();
    vi.advanceTimersByTime(200);
    expect(attempts).toHaveLength(3);
    for (const attempt of attempts) attempt.end(UNAVAILABLE, '1500');
    await nextTurn();
    expect(ended).toEqual([UNAVAILABLE]);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('does not delay the end of a call if the throttle has no tokens', async () => {
    const { attempts, ended } = hedged(empty());
    attempts[0]?.end(UNAVAILABLE, '1500');
    await nextTurn();
    expect(ended).toEqual([UNAVAILABLE]);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('leaves no timer when the call has ended', () => {
    const answered = hedged();
    const late = hedged();
    vi.advanceTimersByTime(100);
    for (const { attempts } of [answered, late]) attempts[0]?.end(UNAVAILABLE, '300000');
    expect(vi.getTimerCount()).toBe(2);
    answered.attempts[1]?.end(status.OK);
    late.call.cancelWithStatus(DEADLINE_EXCEEDED, '');
    expect(vi.getTimerCount()).toBe(0);
  });

  it.each(['-1', 'abc', '', '1e3', '1.5'])(
    'is "%s": no further hedge is sent, and the attempts under way go on',
    async (pushback) => {
      const { attempts, ended } = hedged();
      vi.advanceTimersByTime(100);
      attempts[0]?.end(UNAVAILABLE, pushback);
      vi.advanceTimersByTime(10_000);
      expect(attempts).toHaveLength(2);
      expect(ended).toEqual([]);
      attempts[1]?.end(status.OK);
      await nextTurn();
      expect(ended).toEqual([status.OK]);
    },
  );

  it('of 0 ms delays no hedge, and forbids none', () => {
    const { call, attempts } = hedged();
    attempts[0]?.end(UNAVAILABLE, '0');
    vi.advanceTimersByTime(0);
    expect(attempts).toHaveLength(2);
    call.cancelWithStatus(CANCELLED, '');
  });

  it('that is over delays no hedge of a later failure', () => {
    const { call, attempts } = hedged();
    attempts[0]?.end(UNAVAILABLE, '50');
    vi.advanceTimersByTime(50);
    attempts[1]?.end(UNAVAILABLE);
    vi.advanceTimersByTime(0);
    expect(attempts).toHaveLength(3);
    call.cancelWithStatus(CANCELLED, '');
  });

  it('is cut to the longest delay of a timer', () => {
    const { call, attempts } = hedged();
    attempts[0]?.end(UNAVAILABLE, '99999999999');
    vi.advanceTimersByTime(2 ** 31 - 2);
    expect(attempts).toHaveLength(1);
    call.cancelWithStatus(CANCELLED, '');
  });
});

it('stopHedging stops the timer of a call, and leaves no timer in the field of grpc-js', () => {
  const call = { hedgingTimer: setTimeout(() => {}, 100) } as unknown as AttemptingCall;
  stopHedging(call);
  expect([vi.getTimerCount(), call.hedgingTimer]).toEqual([0, null]);
  stopHedging(call);
  expect(call.hedgingTimer).toBeNull();
});

it('a hedge is sent at once when an attempt fails and its server asks for no pause', () => {
  const { call, attempts } = callTo(PEERS, ours());
  attempts[0]?.end(status.UNAVAILABLE);
  vi.advanceTimersByTime(0);
  expect(attempts).toHaveLength(2);
  call.cancelWithStatus(status.CANCELLED, '');
});

/** Whether the timer of a call keeps the process alive. */
const keepsProcess = (call: unknown): boolean | undefined =>
  (call as AttemptingCall).hedgingTimer?.hasRef();

describe('the timer of a hedged call', () => {
  it('keeps the process alive for a hedge that is due now, and not during a pause', () => {
    const [due, paused] = [hedged(), hedged()];
    due.attempts[0]?.end(UNAVAILABLE);
    paused.attempts[0]?.end(UNAVAILABLE, '1');
    expect([due, paused].map(({ call }) => keepsProcess(call))).toEqual([true, false]);
    for (const { call } of [due, paused]) call.cancelWithStatus(CANCELLED, '');
  });

  it('does not keep the process alive while the attempt waits for a connection', () => {
    const { call } = callTo(PEERS, ours(), { hedgingDelay: '0s', isConnected: false });
    vi.advanceTimersByTime(1);
    expect(keepsProcess(call)).toBe(false);
    call.cancelWithStatus(CANCELLED, '');
  });
});

describe('a retried call', () => {
  const retryPolicy = {
    maxAttempts: 3,
    initialBackoff: '0.1s',
    maxBackoff: '1s',
    backoffMultiplier: 2,
    retryableStatusCodes: ['UNAVAILABLE'],
  };

  it('ends at once if the throttle has no tokens, whatever pause a server asks for', async () => {
    const { attempts, ended } = callTo(PEERS, ours(empty()), { retryPolicy });
    attempts[0]?.end(status.UNAVAILABLE, '1500');
    await nextTurn();
    expect(ended).toEqual([status.UNAVAILABLE]);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('is tried again after the pause that a server asks for', () => {
    const { call, attempts } = callTo(PEERS, ours(), { retryPolicy });
    attempts[0]?.end(status.UNAVAILABLE, '1500');
    vi.advanceTimersByTime(1_499);
    expect(attempts).toHaveLength(1);
    vi.advanceTimersByTime(1);
    expect(attempts).toHaveLength(2);
    call.cancelWithStatus(status.CANCELLED, '');
  });

  it('is not tried again if the pause that a server asks for cannot be read', async () => {
    const { attempts, ended } = callTo(PEERS, ours(), { retryPolicy });
    attempts[0]?.end(status.UNAVAILABLE, 'abc');
    vi.advanceTimersByTime(10_000);
    await nextTurn();
    expect(attempts).toHaveLength(1);
    expect(ended).toEqual([status.UNAVAILABLE]);
  });
});
