/** What this library relies on inside grpc-js: these tests fail where a release looks different there. */
import { Client, credentials } from '@grpc/grpc-js';
import { LoadBalancingCall } from '@grpc/grpc-js/build/src/load-balancing-call.js';
import { RetryingCall } from '@grpc/grpc-js/build/src/retrying-call.js';
import { describe, expect, it } from 'vitest';
import { missingFromAttempts } from '../../../../lib/grpc/grpc-js/attempting-call.js';

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
