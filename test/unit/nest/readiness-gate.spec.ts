import { beforeEach, describe, expect, it } from 'vitest';
import {
  ReadinessGate,
  type ReadinessCheck,
  type ReadinessOptions,
} from '../../../lib/nest/readiness-gate.js';
import { FakeClock } from '../../../lib/testing/fake-clock.js';

let clock: FakeClock;
let answer: ReadinessCheck;
let checks: number;
let changes: [ready: boolean, reason: string][];

beforeEach(() => {
  clock = new FakeClock();
  answer = () => true;
  checks = 0;
  changes = [];
});

function check(): unknown {
  checks++;
  return answer();
}

function createGate(options: Omit<ReadinessOptions, 'check'> = {}): ReadinessGate {
  return new ReadinessGate({ check, ...options }, clock, (ready, reason) =>
    changes.push([ready, reason]),
  );
}

/** Resolves after the handlers of all promises that are settled by now have run. */
const settled = (): Promise<void> =>
  new Promise((resolve) => {
    setImmediate(resolve);
  });

async function advance(ms: number): Promise<void> {
  clock.advance(ms);
  await settled();
}

/** Makes the checks wait. The returned function answers the check under way. */
function answerLater(): (ready: boolean) => void {
  const responses: ((ready: boolean) => void)[] = [];
  answer = () => new Promise((resolve) => responses.push(resolve));
  return (ready) => responses.at(-1)?.(ready);
}

const reject = (reason: unknown) => () => Promise.reject(reason as Error);

describe('the answer of a check', () => {
  it.each<[string, ReadinessCheck]>([
    ['true', () => true],
    ['nothing', () => undefined],
    ['null', () => null],
    ['a text', () => 'error'],
    ['an object without a status', () => ({})],
    ['the status "ok"', () => ({ status: 'ok' })],
    ['a promise of nothing', () => Promise.resolve()],
  ])('opens the gate if it is %s', async (_, given) => {
    answer = given;
    const gate = createGate();
    expect(gate.isReady).toBe(false);
    expect(gate.reason).toBe('it was not asked yet');
    await gate.start();
    expect(gate.isReady).toBe(true);
    expect(changes).toEqual([[true, '']]);
  });

  it.each<[string, ReadinessCheck, string]>([
    ['false', () => false, 'the check says so'],
    ['another status than "ok"', () => ({ status: 'error' }), 'the check says so'],
    ['an error', reject(new Error('database away')), 'database away'],
    ['a rejection without an error', reject('no database'), 'no database'],
    [
      'a throw',
      () => {
        throw new Error('no pool');
      },
      'no pool',
    ],
  ])('keeps the gate closed, with a reason, if it is %s', async (_, given, reason) => {
    answer = given;
    const gate = createGate();
    await gate.start();
    expect([gate.isReady, gate.reason]).toEqual([false, reason]);
    expect(changes).toEqual([]);
  });
});

describe('a running gate', () => {
  it('reports a change once, however often the check repeats its answer', async () => {
    const gate = createGate();
    await gate.start();
    await advance(1_000);
    await advance(1_000);
    answer = reject(new Error('database away'));
    await advance(1_000);
    await advance(1_000);
    answer = () => true;
    await advance(1_000);
    expect(changes).toEqual([
      [true, ''],
      [false, 'database away'],
      [true, ''],
    ]);
    expect(gate.reason).toBe('database away');
    gate.stop();
  });

  it.each([
    [undefined, 1_000],
    [250, 250],
  ])('with intervalMs %s checks again %s ms after an answer', async (intervalMs, expectedMs) => {
    const gate = createGate(intervalMs === undefined ? {} : { intervalMs });
    await gate.start();
    expect(checks).toBe(1);
    await advance(expectedMs - 1);
    expect(checks).toBe(1);
    await advance(1);
    expect(checks).toBe(2);
    gate.stop();
  });

  it('runs one series of checks, however often it is started', async () => {
    const gate = createGate();
    expect(gate.start()).toBe(gate.start());
    await gate.start();
    expect([checks, clock.pendingTimers]).toEqual([1, 1]);
  });

  it.each([
    [undefined, 5_000],
    [300, 300],
  ])(
    'with timeoutMs %s closes if a check takes longer than %s ms',
    async (timeoutMs, expectedMs) => {
      const gate = createGate(timeoutMs === undefined ? {} : { timeoutMs });
      await gate.start();
      answer = () => new Promise(() => {});
      await advance(1_000);
      await advance(expectedMs - 1);
      expect(gate.isReady).toBe(true);
      await advance(1);
      expect(changes.at(-1)).toEqual([false, `the check took longer than ${expectedMs} ms`]);
    },
  );

  it('has only the timer of the next check after a check has answered', async () => {
    const gate = createGate();
    for (let check = 0; check < 10; check++) {
      await (check === 0 ? gate.start() : advance(1_000));
      expect(clock.pendingTimers).toBe(1);
    }
  });

  it('resolves start() when the first check has answered', async () => {
    const respond = answerLater();
    const gate = createGate();
    let started = false;
    const start = gate.start().then(() => (started = true));
    await settled();
    expect(started).toBe(false);
    respond(true);
    await start;
    expect(gate.isReady).toBe(true);
  });
});

describe('a stopped gate', () => {
  it('starts no further check', async () => {
    const gate = createGate();
    await gate.start();
    gate.stop();
    expect(clock.pendingTimers).toBe(0);
    await advance(60_000);
    expect(checks).toBe(1);
  });

  it('ignores the answer of the check that was under way when it was stopped', async () => {
    const respond = answerLater();
    const gate = createGate();
    const start = gate.start();
    await settled();
    gate.stop();
    respond(true);
    await start;
    expect([gate.isReady, changes.length, clock.pendingTimers]).toEqual([false, 0, 0]);
  });
});
