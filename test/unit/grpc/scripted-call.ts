/** Calls of grpc-js whose attempts a test ends. */
import { Metadata, type ServiceConfig, type status } from '@grpc/grpc-js';
import { RetryingCall } from '@grpc/grpc-js/build/src/retrying-call.js';
import { RetryThrottle } from '../../../lib/balance/load/retry-throttle.js';
import { OWN_CALL } from '../../../lib/grpc/grpc-js/attempting-call.js';

type MethodConfig = ServiceConfig['methodConfig'][number];

type Ended = { readonly code: status; readonly details: string; readonly metadata: Metadata };

/** Starts a hedged call of grpc-js whose attempts go to these addresses and end when the test ends them. */
export function callTo(
  peers: readonly string[],
  mark: object,
  {
    hedgingDelay = '3600s',
    isConnected = true,
    nonFatalStatusCodes = ['UNAVAILABLE'],
    target = 'other:///api',
    retryPolicy = undefined as MethodConfig['retryPolicy'],
  } = {},
) {
  let next = 0;
  const connection = { child: isConnected ? {} : null };
  const attempts: { end(code: status, pushback?: string, more?: object): void }[] = [];
  const ended: status[] = [];
  const channel = {
    getOptions: () => ({}),
    getTarget: () => target,
    createLoadBalancingCall() {
      const peer = peers[next++] ?? '';
      return {
        get child() {
          return connection.child;
        },
        start(_metadata: Metadata, listener: { onReceiveStatus(status: object): void }) {
          attempts.push({
            end(code, pushback, more) {
              const metadata = new Metadata();
              if (pushback !== undefined) metadata.set('grpc-retry-pushback-ms', pushback);
              listener.onReceiveStatus({
                code,
                details: '',
                metadata,
                progress: 'PROCESSED',
                ...more,
              });
            },
          });
        },
        cancelWithStatus() {},
        getPeer: () => peer,
        getCallNumber: () => next,
        getDeadlineInfo: () => [`remote_addr=${peer}`],
      };
    },
  };
  const hedgingPolicy = { maxAttempts: 3, hedgingDelay, nonFatalStatusCodes };
  const policy = retryPolicy === undefined ? { hedgingPolicy } : { retryPolicy };
  const methodConfig: MethodConfig = { name: [], ...policy };
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
  const headers: Metadata[] = [];
  call.start(new Metadata(), {
    onReceiveMetadata: (metadata: Metadata) => headers.push(metadata),
    onReceiveStatus: ({ code }: Ended) => ended.push(code),
  } as never);
  const hedge = (): void => Reflect.get(call, 'maybeStartHedgingAttempt').call(call);
  const connect = (): void => {
    connection.child = {};
  };
  return { call, attempts, headers, ended, hedge, connect };
}

export const ours = (throttle?: RetryThrottle, refusals = new RetryThrottle()) => ({
  [OWN_CALL]: { throttle, refusals },
});

/** A throttle that has no token left. */
export function empty(): RetryThrottle {
  const throttle = new RetryThrottle({ maxTokens: 1, tokenRatio: 1 });
  throttle.addCallFailed();
  return throttle;
}
