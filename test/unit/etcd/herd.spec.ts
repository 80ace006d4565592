import { expect, it } from 'vitest';
import { simulateHerd } from '../../support/herd-model.js';

// 50 processes on an etcd with one core, 50 times slower than measured: each core has as much work as with
// 10,000 processes on four cores.
const SMALL = { processes: 50, services: 10, awayMs: 20_000, cores: 1, slowness: 50, seed: 1 };

it.each(['killed', 'wiped', 'stalled'] as const)(
  'after etcd was %s, all processes are back within 30 s, with at most 2.5 times as many requests as they need at least',
  async (fault) => {
    const { backMs = Infinity, requests, least } = await simulateHerd({ ...SMALL, fault });
    expect(backMs).toBeLessThanOrEqual(30_000);
    expect(requests).toBeLessThanOrEqual(2.5 * least);
  },
);
