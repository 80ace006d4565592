import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { withDefaultDeadline } from '../../../../lib/grpc/interceptors/default-deadline.js';

const UNARY = { requestStream: false, responseStream: false };

beforeEach(() => {
  vi.useFakeTimers({ now: 1_000_000 });
});

afterEach(() => {
  vi.useRealTimers();
});

describe('withDefaultDeadline', () => {
  it('gives a unary call without a deadline one that counts from its start', () => {
    expect(withDefaultDeadline({}, UNARY, 500)).toEqual({ deadline: 1_000_500 });
    vi.setSystemTime(2_000_000);
    expect(withDefaultDeadline({ host: 'a' }, UNARY, 500)).toEqual({
      host: 'a',
      deadline: 2_000_500,
    });
  });

  it.each([1_000_001, 9_999_999, Infinity, new Date(5)])(
    'leaves a given deadline of %s as it is',
    (deadline) => {
      expect(withDefaultDeadline({ deadline }, UNARY, 500)).toEqual({ deadline });
    },
  );

  it.each([
    { requestStream: true, responseStream: false },
    { requestStream: false, responseStream: true },
    { requestStream: true, responseStream: true },
  ])('gives no deadline to a streaming call: %o', (shape) => {
    expect(withDefaultDeadline({}, shape, 500)).toEqual({});
  });
});
