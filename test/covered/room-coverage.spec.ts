import { expect, it } from 'vitest';
import { type Coverage, coverageOfRooms, formatRooms, ROOMS } from './room-coverage.js';

const file = (lines: [number, number], branches: [number, number]): Coverage => ({
  lines: { covered: lines[0], total: lines[1] },
  branches: { covered: branches[0], total: branches[1] },
});

const rooms = coverageOfRooms([
  ['/srv/lib/project/lib/core/backoff.ts', file([3, 4], [1, 2])],
  ['/srv/lib/project/lib/core/lease/lease-machine.ts', file([7, 16], [3, 6])],
  ['/srv/lib/project/lib/grpc/warm-up.ts', file([1, 2], [0, 0])],
  ['/srv/lib/project/lib/index.ts', file([5, 5], [0, 0])],
]);

it('the coverage of a room is that of its files together', () => {
  expect(rooms.get('core')).toEqual(file([10, 20], [4, 8]));
  expect(rooms.get('grpc')).toEqual(file([1, 2], [0, 0]));
  expect([...rooms.keys()]).toEqual(ROOMS);
});

it('the report has a line for each room, with its threshold where it has one', () => {
  const lines = formatRooms(rooms).split('\n');
  expect(lines).toHaveLength(ROOMS.length + 1);
  expect(lines[1]).toBe('core          50.0 %    50.0 %          90');
  expect(lines[6]).toBe('etcd               -         -           -');
});
