import { beforeEach, expect, it } from 'vitest';
import { TurnGatherer } from '../../../lib/grpc/turn-gatherer.js';

let runs: number;
let gatherer: TurnGatherer;

beforeEach(() => {
  runs = 0;
  gatherer = new TurnGatherer(() => runs++);
});

/** Resolves at the end of this turn of the event loop. */
const turn = (): Promise<void> =>
  new Promise((resolve) => {
    setImmediate(resolve);
  });

it('many requests of one turn run the task once, at its end', async () => {
  for (let request = 0; request < 100; request++) gatherer.request();
  expect(runs).toBe(0);
  await turn();
  expect(runs).toBe(1);
  await turn();
  expect(runs).toBe(1);
});

it('an urgent request that is the first of its turn runs the task at once', async () => {
  gatherer.request(true);
  expect(runs).toBe(1);
  await turn();
  expect(runs).toBe(1);
});

it('urgent requests that are not the first of their turn wait for its end', async () => {
  for (let request = 0; request < 100; request++) gatherer.request(true);
  expect(runs).toBe(1);
  await turn();
  expect(runs).toBe(2);
  await turn();
  expect(runs).toBe(2);
});

it('an urgent request of the next turn runs the task at once again', async () => {
  gatherer.request(true);
  await turn();
  gatherer.request(true);
  expect(runs).toBe(2);
  await turn();
  expect(runs).toBe(2);
});

it('run() runs the task at once, and earlier requests do not run it again', async () => {
  gatherer.request();
  gatherer.run();
  expect(runs).toBe(1);
  await turn();
  expect(runs).toBe(1);
});

it('after stop() the task does not run any more', async () => {
  gatherer.request();
  gatherer.stop();
  gatherer.run();
  gatherer.request(true);
  await turn();
  expect(runs).toBe(0);
});
