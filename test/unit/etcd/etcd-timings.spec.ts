import { describe, expect, it } from 'vitest';
import { DEFAULT_TIMINGS, resolveTimings, timedBackoff } from '../../../lib/etcd/etcd-timings.js';
import { validateEtcd } from '../../../lib/nest/options/validate-etcd.js';

const validate = (timings: unknown) =>
  validateEtcd({ hosts: ['http://127.0.0.1:2379'], timings }, {}).timings;

describe('resolveTimings and timedBackoff', () => {
  it('return the defaults if no times are given', () => {
    expect(resolveTimings()).toEqual(DEFAULT_TIMINGS);
    expect(validate({ backoffCapMs: undefined })).toEqual(DEFAULT_TIMINGS);
  });

  it('keep the times that are given', () => {
    expect(validate({ probeIntervalMs: 100, keepaliveJitter: 0 })).toEqual({
      ...DEFAULT_TIMINGS,
      probeIntervalMs: 100,
      keepaliveJitter: 0,
    });
  });

  it('never wait longer than the cap, even if the cap is below the floor', () => {
    const timings = resolveTimings({ backoffBaseMs: 10, backoffCapMs: 20 });
    expect(timedBackoff(timings)).toEqual({ baseMs: 10, capMs: 20, floorMs: 10 });
    expect(timedBackoff(DEFAULT_TIMINGS)).toEqual({ baseMs: 200, capMs: 30_000, floorMs: 50 });
  });

  it.each([
    [{ keepalivesPerTtl: 1 }, 'option etcd.timings.keepalivesPerTtl is 1; allowed: a whole number'],
    [
      { keepaliveJitter: 0.6 },
      'option etcd.timings.keepaliveJitter is 0.6; allowed: a number from',
    ],
    [
      { probeIntervalMs: '1s' },
      'option etcd.timings.probeIntervalMs is a string; allowed: a whole',
    ],
    [
      { pingIntervalMs: 4_999 },
      'option etcd.timings.pingIntervalMs is 4999; allowed: a whole number from 5000',
    ],
    [{ backoffCapMs: 100 }, 'option etcd.timings.backoffCapMs is 100; allowed: at least'],
    [
      { relist: 1 },
      'option etcd.timings.relist is a number; allowed: none; etcd.timings has keepalives',
    ],
  ])('reject %o as an option', (timings, message) => {
    expect(() => validate(timings)).toThrow(message);
  });
});
