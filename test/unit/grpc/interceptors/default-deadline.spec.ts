import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { withDefaultDeadline } from '../../../../lib/grpc/interceptors/default-deadline.js';

const UNARY = { requestStream: false, responseStream: false };

beforeEach(() => {
  vi.useFakeTimers({ now: 1_000_000 });
});

afterEach(() => {
  vi.useRealTimers();
});

describe('a default deadline', () => {
  it('counts from the start of each unary call that brings none', () => {
    expect(withDefaultDeadline({}, UNARY, 500)).toEqual({ deadline: 1_000_500 });
    vi.setSystemTime(2_000_000);
    expect(withDefaultDeadline({ host: 'a' }, UNARY, 500)).toEqual({
      host: 'a',
      deadline: 2_000_500,
    });
  });

  it.each([1_000_001, 9_999_999, Infinity, new Date(5)])(
    'leaves a deadline of %s alone',
    (deadline) => {
      expect(withDefaultDeadline({ deadline }, UNARY, 500)).toEqual({ deadline });
    },
  );

  it.each([
    { requestStream: true, responseStream: false },
    { requestStream: false, responseStream: true },
    { requestStream: true, responseStream: true },
  ])('is none for streams: %o', (shape) => {
    expect(withDefaultDeadline({}, shape, 500)).toEqual({});
  });
});
