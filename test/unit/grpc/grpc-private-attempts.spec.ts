/** What this library replaces inside grpc-js: these tests fail where a release looks different there. */
import { Client, credentials, Metadata, type ServiceConfig, status } from '@grpc/grpc-js';
import { LoadBalancingCall } from '@grpc/grpc-js/build/src/load-balancing-call.js';
import { RetryingCall } from '@grpc/grpc-js/build/src/retrying-call.js';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { RetryThrottle } from '../../../lib/balance/retry-throttle.js';
import {
  governAttempts,
  missingFromAttempts,
  OWN_CALL,
} from '../../../lib/grpc/grpc-private-attempts.js';

type MethodConfig = ServiceConfig['methodConfig'][number];

type Ended = { readonly code: status; readonly details: string; readonly metadata: Metadata };

/** A hedged call as grpc-js makes it, whose attempts go to these addresses and end when a test says so. */
function callTo(
  peers: readonly string[],
  mark: object,
  { hedgingDelay = '3600s', isConnected = true, nonFatalStatusCodes = ['UNAVAILABLE'] } = {},
) {
  let next = 0;
  const connection = { child: isConnected ? {} : null };
  const attempts: { end(code: status): void }[] = [];
  const ended: status[] = [];
  const channel = {
    getOptions: () => ({}),
    createLoadBalancingCall() {
      const peer = peers[next++] ?? '';
      return {
        get child() {
          return connection.child;
        },
        start(_metadata: Metadata, listener: { onReceiveStatus(status: object): void }) {
          attempts.push({
            end: (code) =>
              listener.onReceiveStatus({
                code,
                details: '',
                metadata: new Metadata(),
                progress: 'PROCESSED',
              }),
          });
        },
        cancelWithStatus() {},
        getPeer: () => peer,
        getCallNumber: () => next,
        getDeadlineInfo: () => [`remote_addr=${peer}`],
      };
    },
  };
  const hedgingPolicy = {
    maxAttempts: 3,
    hedgingDelay,
    nonFatalStatusCodes,
  };
  const methodConfig: MethodConfig = { name: [], hedgingPolicy };
  const buffer = { freeAll() {} };
  const call = Reflect.construct(RetryingCall, [
    channel,
    { methodConfig, ...mark },
    '/user.User/Find',
    'api',
    undefined,
    Infinity,
    1,
    buffer,
  ]) as RetryingCall;
  call.start(new Metadata(), {
    onReceiveStatus: ({ code }: Ended) => ended.push(code),
  } as never);
  const hedge = (): void => Reflect.get(call, 'maybeStartHedgingAttempt').call(call);
  const connect = (): void => {
    connection.child = {};
  };
  return { call, attempts, ended, hedge, connect };
}

const ours = (throttle?: RetryThrottle) => ({ [OWN_CALL]: { throttle } });

/** A throttle without a token to spare. */
function empty(): RetryThrottle {
  const throttle = new RetryThrottle({ maxTokens: 1, tokenRatio: 1 });
  throttle.addCallFailed();
  return throttle;
}

describe('missingFromAttempts', () => {
  it('finds all that it needs in the grpc-js that is loaded', () => {
    expect(missingFromAttempts()).toEqual([]);
  });

  it('names a method that is gone', () => {
    class Other extends RetryingCall {}
    Object.defineProperty(Other.prototype, 'getDeadlineInfo', { value: undefined });
    expect(missingFromAttempts(Other)).toEqual(['RetryingCall.getDeadlineInfo']);
  });

  it('names a field that is gone', () => {
    class Other extends RetryingCall {
      constructor(...args: ConstructorParameters<typeof RetryingCall>) {
        super(...args);
        Reflect.deleteProperty(this, 'underlyingCalls');
      }
    }
    expect(missingFromAttempts(Other)).toEqual(['RetryingCall.underlyingCalls']);
  });

  it('names a field of an attempt that is gone', () => {
    class Other extends LoadBalancingCall {
      constructor(...args: ConstructorParameters<typeof LoadBalancingCall>) {
        super(...args);
        Reflect.deleteProperty(this, 'child');
      }
    }
    expect(missingFromAttempts(RetryingCall, Other)).toEqual(['LoadBalancingCall.child']);
  });

  it('looks at the class that channels really use', () => {
    const client = new Client('127.0.0.1:1', credentials.createInsecure());
    const inner = Reflect.get(client.getChannel(), 'internalChannel') as {
      createRetryingCall(config: object, ...rest: readonly unknown[]): unknown;
    };
    const call = inner.createRetryingCall({ methodConfig: { name: [] } }, '', '', undefined, 0);
    expect(call).toBeInstanceOf(RetryingCall);
    client.close();
  });
});

describe('governAttempts', () => {
  governAttempts();

  const PEERS = ['10.0.0.1:1', '10.0.0.2:1', '10.0.0.3:1'];

  it('a call of ours says at its deadline how many attempts there were, and where they went', () => {
    const { call, hedge } = callTo(PEERS, ours());
    hedge();
    const info = call.getDeadlineInfo();
    expect(info).toContain('attempts: 2 of 3 (10.0.0.1:1 10.0.0.2:1)');
    expect(info).toContain('remote_addr=10.0.0.2:1');
    call.cancelWithStatus(status.DEADLINE_EXCEEDED, '');
  });

  it('a hedge is sent while there are tokens, and not without', () => {
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

  it('a throttled hedge is skipped, and the next is sent if there are tokens by then', () => {
    const throttle = empty();
    const { call, attempts, hedge } = callTo(PEERS, ours(throttle));
    hedge();
    expect(attempts).toHaveLength(1);
    throttle.addCallSucceeded();
    hedge();
    expect(attempts).toHaveLength(2);
    // Three in all: the skipped one was one of them.
    hedge();
    expect(attempts).toHaveLength(2);
    call.cancelWithStatus(status.CANCELLED, '');
  });

  it('a call whose hedges are unanswered at the deadline takes one token, one without hedges none', () => {
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

  it('an error that blames the caller gives the throttle what an answer does', () => {
    const throttle = empty();
    callTo(PEERS, ours(throttle)).attempts[0]?.end(status.NOT_FOUND);
    expect(throttle.canRetryCall()).toBe(true);
  });

  it.each([
    ['blames the server', status.INTERNAL, {}],
    ['may be tried again', status.ABORTED, { nonFatalStatusCodes: ['aborted'] }],
    ['came from no server', status.PERMISSION_DENIED, { isConnected: false }],
  ])('an error that %s gives the throttle nothing', (_, code, options) => {
    const throttle = empty();
    const { call, attempts } = callTo(PEERS, ours(throttle), options);
    attempts[0]?.end(code);
    expect(throttle.canRetryCall()).toBe(false);
    call.cancelWithStatus(status.NOT_FOUND, '');
  });

  it('a call that is cancelled gives the throttle nothing, whatever its code', () => {
    const throttle = empty();
    const { call, attempts } = callTo(PEERS, ours(throttle));
    call.cancelWithStatus(status.NOT_FOUND, '');
    attempts[0]?.end(status.NOT_FOUND);
    expect(throttle.canRetryCall()).toBe(false);
  });

  describe('while the attempt of a call waits for a connection', () => {
    beforeEach(() => {
      vi.useFakeTimers();
    });
    afterEach(() => {
      vi.useRealTimers();
    });

    it('the call gets no hedge, and the first one a whole delay after the attempt is sent', () => {
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
      // Those that were not sent meanwhile have not been used up.
      vi.advanceTimersByTime(400);
      expect(attempts).toHaveLength(3);
      call.cancelWithStatus(status.CANCELLED, '');
      expect(vi.getTimerCount()).toBe(0);
    });

    it('a deadline that passes takes no token', () => {
      const throttle = new RetryThrottle({ maxTokens: 2, tokenRatio: 1 });
      const { call } = callTo(PEERS, ours(throttle), { hedgingDelay: '0s', isConnected: false });
      vi.advanceTimersByTime(10_000);
      call.cancelWithStatus(status.DEADLINE_EXCEEDED, '');
      expect(throttle.canRetryCall()).toBe(true);
      expect(vi.getTimerCount()).toBe(0);
    });
  });

  it('leaves calls of other channels alone', () => {
    const throttler = { canRetryCall: () => false, addCallFailed() {}, addCallSucceeded() {} };
    const { call, attempts, hedge } = callTo(PEERS, {});
    Object.assign(call, { retryThrottler: throttler });
    hedge();
    expect(attempts).toHaveLength(2);
    expect(call.getDeadlineInfo()).toContain('previous attempts: 1');
    call.cancelWithStatus(status.DEADLINE_EXCEEDED, '');
  });
});
