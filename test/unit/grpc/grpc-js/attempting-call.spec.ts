/**
 * The private parts of grpc-js that this library relies on: these tests fail if a release has changed them.
 */
import { Client, credentials } from '@grpc/grpc-js';
import { LoadBalancingCall } from '@grpc/grpc-js/build/src/load-balancing-call.js';
import { RetryingCall } from '@grpc/grpc-js/build/src/retrying-call.js';
import { describe, expect, it } from 'vitest';
import { missingFromAttempts } from '../../../../lib/grpc/grpc-js/attempting-call.js';

describe('missingFromAttempts', () => {
  it('returns no name for the loaded grpc-js', () => {
    expect(missingFromAttempts()).toEqual([]);
  });

  it('returns the name of a missing method', () => {
    class Other extends RetryingCall {}
    Object.defineProperty(Other.prototype, 'getDeadlineInfo', { value: undefined });
    expect(missingFromAttempts(Other)).toEqual(['RetryingCall.getDeadlineInfo']);
  });

  it('returns the name of a missing field', () => {
    class Other extends RetryingCall {
      constructor(...args: ConstructorParameters<typeof RetryingCall>) {
        super(...args);
        Reflect.deleteProperty(this, 'underlyingCalls');
      }
    }
    expect(missingFromAttempts(Other)).toEqual(['RetryingCall.underlyingCalls']);
  });

  it('returns the name of a missing field of an attempt', () => {
    class Other extends LoadBalancingCall {
      constructor(...args: ConstructorParameters<typeof LoadBalancingCall>) {
        super(...args);
        Reflect.deleteProperty(this, 'child');
      }
    }
    expect(missingFromAttempts(RetryingCall, Other)).toEqual(['LoadBalancingCall.child']);
  });

  it('checks the class that channels really use', () => {
    const client = new Client('127.0.0.1:1', credentials.createInsecure());
    const inner = Reflect.get(client.getChannel(), 'internalChannel') as {
      createRetryingCall(config: object, ...rest: readonly unknown[]): unknown;
    };
    const call = inner.createRetryingCall({ methodConfig: { name: [] } }, '', '', undefined, 0);
    expect(call).toBeInstanceOf(RetryingCall);
    client.close();
  });
});
