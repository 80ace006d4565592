/** What calls leave behind in memory when they have ended. */
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

/** Collects what is young and dead: what a process does all the time, and cheap. */
function collectYoung(): void {
  setFlagsFromString('--expose-gc');
  const gc = runInNewContext('gc') as (options: { type: 'minor' }) => void;
  // Twice: an object is old once it has outlived two.
  for (let turn = 0; turn < 2; turn++) gc({ type: 'minor' });
}

const CALLS = 300;
/** What hangs on each call, in bytes: for all of them 24 MB. */
const BALLAST = 80_000;

it('is nothing that only a full garbage collection would free', async () => {
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
  // A call lets go in the turn of the event loop after its answer.
  await call();
  collectYoung();
  const left = process.memoryUsage().heapUsed - before;
  expect(left).toBeLessThan((CALLS * BALLAST) / 4);
});
