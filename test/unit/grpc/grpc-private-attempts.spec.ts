/** What this library replaces inside grpc-js: these tests fail where a release looks different there. */
import { Client, credentials, Metadata, type ServiceConfig } from '@grpc/grpc-js';
import { RetryingCall } from '@grpc/grpc-js/build/src/retrying-call.js';
import { describe, expect, it } from 'vitest';
import {
  governAttempts,
  missingFromAttempts,
  OWN_CALL,
} from '../../../lib/grpc/grpc-private-attempts.js';

type MethodConfig = ServiceConfig['methodConfig'][number];

/** A call as grpc-js makes it, whose attempts go to these addresses and are never answered. */
function callTo(peers: readonly string[], mark: object): RetryingCall {
  let next = 0;
  const channel = {
    getOptions: () => ({}),
    createLoadBalancingCall() {
      const peer = peers[next++] ?? '';
      return {
        start() {},
        cancelWithStatus() {},
        getPeer: () => peer,
        getCallNumber: () => next,
        getDeadlineInfo: () => [`remote_addr=${peer}`],
      };
    },
  };
  const hedgingPolicy = { maxAttempts: 3, hedgingDelay: '3600s', nonFatalStatusCodes: [] };
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
  call.start(new Metadata(), { onReceiveStatus() {} } as never);
  for (const _ of peers.slice(1)) Reflect.get(call, 'maybeStartHedgingAttempt').call(call);
  return call;
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

describe('a call of ours that passes its deadline', () => {
  governAttempts();

  it('says how many attempts there were, and where they went', () => {
    const call = callTo(['10.0.0.1:1', '10.0.0.2:1'], { [OWN_CALL]: true });
    const info = call.getDeadlineInfo();
    expect(info).toContain('attempts: 2 of 3 (10.0.0.1:1 10.0.0.2:1)');
    expect(info).toContain('remote_addr=10.0.0.2:1');
    call.cancelWithStatus(4, '');
  });

  it('leaves the words of calls of other channels alone', () => {
    const call = callTo(['10.0.0.1:1', '10.0.0.2:1'], {});
    expect(call.getDeadlineInfo()).toContain('previous attempts: 1');
    call.cancelWithStatus(4, '');
  });
});
