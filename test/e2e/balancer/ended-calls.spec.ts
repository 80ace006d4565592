/** What finished calls leave behind in memory. */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { firstValueFrom, map } from 'rxjs';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { Fleet } from './fleet.js';

let fleet: Fleet;

beforeEach(() => {
  fleet = new Fleet();
});
afterEach(() => fleet.close());

/**
 * Runs only the garbage collection of young objects, which is cheap and which a process runs all the time.
 */
function collectYoung(): void {
  setFlagsFromString('--expose-gc');
  const gc = runInNewContext('gc') as (options: { type: 'minor' }) => void;
  // Twice: an object counts as old after it has survived two collections.
  for (let turn = 0; turn < 2; turn++) gc({ type: 'minor' });
}

const CALLS = 300;
/** The data that is attached to each call, in bytes: 24 MB for all calls together. */
const BALLAST = 80_000;

it('finished calls leave nothing behind that only a full garbage collection would free', async () => {
  await fleet.start({ a: {} });
  const { call, users } = await fleet.client();
  const callWithBallast = async (): Promise<void> => {
    const ballast = Array.from<number>({ length: BALLAST / 8 }).fill(0);
    const answer = users.login({ name: 'x', password: '' });
    await firstValueFrom(answer.pipe(map(({ server }) => [server, ballast])));
  };
  await call();
  await callWithBallast();
  collectYoung();
  const before = process.memoryUsage().heapUsed;
  for (let round = 0; round < CALLS; round++) await callWithBallast();
  // A finished call drops its references in the event-loop turn after its answer.
  await call();
  collectYoung();
  const left = process.memoryUsage().heapUsed - before;
  expect(left).toBeLessThan((CALLS * BALLAST) / 4);
});
