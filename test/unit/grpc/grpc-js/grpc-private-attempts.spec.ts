/** How calls of this library differ from other calls of grpc-js. */
import { Metadata, status } from '@grpc/grpc-js';
import { RetryingCall } from '@grpc/grpc-js/build/src/retrying-call.js';
import { describe, expect, it } from 'vitest';
import { RetryThrottle } from '../../../../lib/balance/load/retry-throttle.js';
import { governAttempts } from '../../../../lib/grpc/grpc-js/grpc-private-attempts.js';
import { KEPT_HEADERS } from '../../../../lib/grpc/grpc-js/whole-answer.js';
import { callTo, empty, ours } from '../scripted-call.js';

describe('governAttempts', () => {
  governAttempts(new Set(['ours']));

  const PEERS = ['10.0.0.1:1', '10.0.0.2:1', '10.0.0.3:1'];

  it('replaces the methods of grpc-js once, however often it is called', () => {
    const methods = Object.getOwnPropertyDescriptors(RetryingCall.prototype);
    governAttempts(new Set(['others']));
    expect(Object.getOwnPropertyDescriptors(RetryingCall.prototype)).toEqual(methods);
  });

  it('the deadline info of our calls has the number of attempts and their addresses', () => {
    const { call, hedge } = callTo(PEERS, ours());
    hedge();
    const info = call.getDeadlineInfo();
    expect(info).toContain('attempts: 2 of 3 (10.0.0.1:1 10.0.0.2:1)');
    expect(info).toContain('remote_addr=10.0.0.2:1');
    call.cancelWithStatus(status.DEADLINE_EXCEEDED, '');
  });

  it('a hedge is sent while the throttle has tokens, and not without', () => {
    const throttle = new RetryThrottle({ maxTokens: 10, tokenRatio: 1 });
    const { call, attempts, hedge } = callTo(PEERS, ours(throttle));
    hedge();
    expect(attempts).toHaveLength(2);
    for (let failure = 0; failure < 5; failure++) throttle.addCallFailed();
    hedge();
    expect(attempts).toHaveLength(2);
    call.cancelWithStatus(status.CANCELLED, '');
  });

  it('a throttled call ends with the failure of its only attempt', async () => {
    const { attempts, ended } = callTo(PEERS, ours(empty()));
    attempts[0]?.end(status.UNAVAILABLE);
    await new Promise((resolve) => setTimeout(resolve, 5));
    expect(attempts).toHaveLength(1);
    expect(ended).toEqual([status.UNAVAILABLE]);
  });

  it('a throttled hedge is skipped, and the next hedge is sent if the throttle has tokens again', () => {
    const throttle = empty();
    const { call, attempts, hedge } = callTo(PEERS, ours(throttle));
    hedge();
    expect(attempts).toHaveLength(1);
    throttle.addCallSucceeded();
    hedge();
    expect(attempts).toHaveLength(2);
    // The call has three attempts in all; the skipped hedge was one of them.
    hedge();
    expect(attempts).toHaveLength(2);
    call.cancelWithStatus(status.CANCELLED, '');
  });

  it('an unanswered call with hedges takes one token at its deadline, an unanswered call without hedges none', () => {
    const throttle = new RetryThrottle({ maxTokens: 4, tokenRatio: 1 });
    const pass = (hedges: number): void => {
      const { call, hedge } = callTo(PEERS, ours(throttle));
      for (let sent = 0; sent < hedges; sent++) hedge();
      call.cancelWithStatus(status.DEADLINE_EXCEEDED, '');
    };
    for (const hedges of [0, 0, 2]) pass(hedges);
    expect(throttle.canRetryCall()).toBe(true);
    pass(1);
    expect(throttle.canRetryCall()).toBe(false);
  });

  it('a hedged call of which one attempt has failed and one is unanswered takes a token at its deadline', () => {
    const throttle = new RetryThrottle({ maxTokens: 5, tokenRatio: 1 });
    const { call, attempts, hedge } = callTo(PEERS, ours(throttle));
    hedge();
    attempts[0]?.end(status.UNAVAILABLE);
    throttle.addCallFailed();
    expect(throttle.canRetryCall()).toBe(true);
    call.cancelWithStatus(status.DEADLINE_EXCEEDED, '');
    expect(throttle.canRetryCall()).toBe(false);
  });

  it('an error that blames the caller gives the throttle as many tokens as an answer', () => {
    const throttle = empty();
    callTo(PEERS, ours(throttle)).attempts[0]?.end(status.NOT_FOUND);
    expect(throttle.canRetryCall()).toBe(true);
  });

  it.each([
    ['blames the server', status.INTERNAL, {}],
    ['may be tried again', status.ABORTED, { nonFatalStatusCodes: ['aborted'] }],
    ['came from no server', status.PERMISSION_DENIED, { isConnected: false }],
  ])('an error that %s gives the throttle no token', (_, code, options) => {
    const throttle = empty();
    const { call, attempts } = callTo(PEERS, ours(throttle), options);
    attempts[0]?.end(code);
    expect(throttle.canRetryCall()).toBe(false);
    call.cancelWithStatus(status.NOT_FOUND, '');
  });

  it('a cancelled call gives the throttle no token, whatever its code', () => {
    const throttle = empty();
    const { call, attempts } = callTo(PEERS, ours(throttle));
    call.cancelWithStatus(status.NOT_FOUND, '');
    attempts[0]?.end(status.NOT_FOUND);
    expect(throttle.canRetryCall()).toBe(false);
  });

  it('the call gets the held headers of its last attempt, and of no earlier one', () => {
    const { attempts, headers, hedge } = callTo(PEERS, ours());
    for (let sent = 1; sent < 3; sent++) hedge();
    const kept = PEERS.map(() => new Metadata());
    for (const [index, attempt] of attempts.entries()) {
      expect(headers).toEqual([]);
      attempt.end(status.UNAVAILABLE, undefined, { [KEPT_HEADERS]: kept[index] });
    }
    expect(headers).toHaveLength(1);
    expect(headers[0]).toBe(kept[2]);
  });

  it('the call gets no headers if its only attempt held none back', () => {
    const { call, attempts, headers } = callTo(PEERS, ours());
    attempts[0]?.end(status.NOT_FOUND);
    expect(headers).toEqual([]);
    call.cancelWithStatus(status.CANCELLED, '');
  });

  it('hedges of a plain channel with our scheme use the throttle of grpc-js', () => {
    const { call, attempts, hedge } = callTo(PEERS, {}, { target: 'Ours:///api' });
    Object.assign(call, { retryThrottler: empty() });
    hedge();
    expect(attempts).toHaveLength(1);
    call.cancelWithStatus(status.CANCELLED, '');
  });

  const REFUSED = { progress: 'REFUSED' };
  const retryPolicy = {
    maxAttempts: 2,
    initialBackoff: '0.1s',
    maxBackoff: '1s',
    backoffMultiplier: 2,
    retryableStatusCodes: ['ABORTED'],
  };

  it('an attempt that servers refuse is sent to five servers at most', async () => {
    const { attempts, ended } = callTo(PEERS, ours(), { retryPolicy });
    for (let refusal = 0; refusal < 4; refusal++) {
      expect(attempts).toHaveLength(refusal + 1);
      attempts[refusal]?.end(status.UNAVAILABLE, undefined, REFUSED);
    }
    expect(ended).toEqual([]);
    expect(attempts).toHaveLength(5);
    attempts[4]?.end(status.UNAVAILABLE, undefined, REFUSED);
    expect(attempts).toHaveLength(5);
    await new Promise((resolve) => setTimeout(resolve, 5));
    expect(ended).toEqual([status.UNAVAILABLE]);
  });

  it('an attempt that servers have refused twice is not sent again if the throttle has no tokens', async () => {
    const { attempts, ended } = callTo(PEERS, ours(undefined, empty()), { retryPolicy });
    for (let refusal = 0; refusal < 2; refusal++) {
      attempts[refusal]?.end(status.UNAVAILABLE, undefined, REFUSED);
    }
    expect(attempts).toHaveLength(2);
    await new Promise((resolve) => setTimeout(resolve, 5));
    expect(ended).toEqual([status.UNAVAILABLE]);
  });

  it('an answer gives the throttle of refusals a share of a token, an error gives it none', () => {
    const refusals = empty();
    const end = (code: status): void => {
      callTo(PEERS, ours(undefined, refusals), { retryPolicy }).attempts[0]?.end(code);
    };
    end(status.NOT_FOUND);
    expect(refusals.canRetryCall()).toBe(false);
    end(status.OK);
    expect(refusals.canRetryCall()).toBe(true);
  });

  it('calls of other channels are not changed', () => {
    const throttler = { canRetryCall: () => false, addCallFailed() {}, addCallSucceeded() {} };
    const { call, attempts, hedge } = callTo(PEERS, {});
    Object.assign(call, { retryThrottler: throttler });
    hedge();
    expect(attempts).toHaveLength(2);
    expect(call.getDeadlineInfo()).toContain('previous attempts: 1');
    call.cancelWithStatus(status.DEADLINE_EXCEEDED, '');
  });
});
