import type { Interceptor, InterceptorOptions } from '@grpc/grpc-js';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createDefaultDeadline } from '../../../lib/grpc/default-deadline.js';

type NextCall = Parameters<Interceptor>[1];

/** The options with which an interceptor passes a call on. */
function passedOn(
  interceptor: Interceptor,
  kind: { readonly requestStream?: boolean; readonly responseStream?: boolean },
  deadline?: number | Date,
): InterceptorOptions {
  let passed: InterceptorOptions | undefined;
  const options = {
    method_definition: { requestStream: false, responseStream: false, ...kind },
    ...(deadline === undefined ? {} : { deadline }),
  } as InterceptorOptions;
  interceptor(options, ((next) => {
    passed = next;
    return {} as ReturnType<NextCall>;
  }) as NextCall);
  if (passed === undefined) throw new Error('the call was not passed on');
  return passed;
}

beforeEach(() => {
  vi.useFakeTimers({ now: 1_000_000 });
});

afterEach(() => {
  vi.useRealTimers();
});

describe('a default deadline', () => {
  it('counts from the start of each unary call that brings none', () => {
    const interceptor = createDefaultDeadline(500);
    expect(passedOn(interceptor, {}).deadline).toBe(1_000_500);
    vi.setSystemTime(2_000_000);
    expect(passedOn(interceptor, {}).deadline).toBe(2_000_500);
  });

  it.each([1_000_001, 9_999_999, Infinity, new Date(5)])(
    'leaves a deadline of %s alone',
    (given) => {
      expect(passedOn(createDefaultDeadline(500), {}, given).deadline).toBe(given);
    },
  );

  it.each([
    { requestStream: true },
    { responseStream: true },
    { requestStream: true, responseStream: true },
  ])('is none for streams: %o', (kind) => {
    expect(passedOn(createDefaultDeadline(500), kind)).not.toHaveProperty('deadline');
  });
});
