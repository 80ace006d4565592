/** KeptWatch over registries that break the rules of `Registry.watch`. */
import { concat, EMPTY, NEVER, Observable, of, Subject, throwError } from 'rxjs';
import { beforeEach, expect, it } from 'vitest';
import { DiscoveryError } from '../../../lib/core/discovery-error.js';
import type { RegistryUpdate } from '../../../lib/core/snapshot/registry-update.js';
import { FIRST_WORD_MS, KeptWatch } from '../../../lib/registry/kept-watch.js';
import { Registry } from '../../../lib/registry/registry.js';
import { FakeClock } from '../../../lib/testing/fake-clock.js';

const LIST: RegistryUpdate = { kind: 'reset', snapshot: new Map() };

class OddRegistry extends Registry {
  readonly scheme = 'odd';
  watches = 0;

  constructor(private readonly answers: (() => Observable<RegistryUpdate>)[]) {
    super();
  }

  override watch(): Observable<RegistryUpdate> {
    const answer = this.answers[Math.min(this.watches++, this.answers.length - 1)];
    return answer === undefined ? NEVER : answer();
  }
}

let clock: FakeClock;
let told: string[];
beforeEach(() => {
  clock = new FakeClock();
  told = [];
});

function keep(registry: Registry): KeptWatch {
  return new KeptWatch(registry, 'api', clock, (update) => {
    // Reads the content of the update, as a directory does.
    told.push(update.kind === 'failure' ? update.error.message : update.kind);
    if (update.kind === 'reset') update.snapshot.values();
  });
}

const failing = (what: string): string =>
  `[REGISTRY_UNAVAILABLE] the odd registry's watch on "api" ${what}`;

it.each<[string, () => Observable<RegistryUpdate>, string]>([
  ['errs', () => throwError(() => new Error('down')), 'failed: down'],
  ['errs with a text', () => throwError(() => 'down'), 'failed: down'],
  ['ends', () => EMPTY, 'ended'],
  [
    'throws',
    () => {
      throw new Error('no such service');
    },
    'failed: no such service',
  ],
  [
    'sends nonsense',
    () => concat(of({ kind: 'reset', snapshot: 5 } as unknown as RegistryUpdate), NEVER),
    'sent an update that cannot be read: update.snapshot.values is not a function',
  ],
])('a registry that %s counts as failed, and is watched again', (_, answer, what) => {
  const registry = new OddRegistry([answer, () => concat(of(LIST), NEVER)]);
  const watch = keep(registry);
  expect(told.filter((one) => one !== 'reset')).toEqual([failing(what)]);
  clock.advance(999);
  expect(registry.watches).toBe(1);
  clock.advance(1);
  expect(told.at(-1)).toBe('reset');
  watch.stop();
  expect(clock.pendingTimers).toBe(0);
});

it('the delays between watches grow to at most 30 s', () => {
  const registry = new OddRegistry([() => EMPTY]);
  const watch = keep(registry);
  const asked: number[] = [];
  for (let second = 0; second < 120; second++) {
    const before = registry.watches;
    clock.advance(1_000);
    if (registry.watches > before) asked.push(second + 1);
  }
  expect(asked).toEqual([1, 3, 7, 15, 31, 61, 91]);
  watch.stop();
});

it('a registry that has answered is watched again after 1 s, however often it failed before', () => {
  const answers: (() => Observable<RegistryUpdate>)[] = [];
  for (let failure = 0; failure < 4; failure++) answers.push(() => EMPTY);
  const registry = new OddRegistry([...answers, () => of(LIST), () => concat(of(LIST), NEVER)]);
  const watch = keep(registry);
  clock.advance(1_000 + 2_000 + 4_000 + 8_000);
  expect(registry.watches).toBe(5);
  clock.advance(999);
  expect(registry.watches).toBe(5);
  clock.advance(1);
  expect(registry.watches).toBe(6);
  watch.stop();
});

it('the delays between watches also grow if each watch emits a failure', () => {
  const error = new DiscoveryError('REGISTRY_UNAVAILABLE', 'away');
  const registry = new OddRegistry([() => of({ kind: 'failure', error })]);
  const watch = keep(registry);
  clock.advance(1_000 + 2_000 + 3_999);
  expect(registry.watches).toBe(3);
  clock.advance(1);
  expect(registry.watches).toBe(4);
  watch.stop();
});

it('a registry that emits nothing counts as failed after 5 s, and its watch stays open', () => {
  const registry = new OddRegistry([() => NEVER]);
  const watch = keep(registry);
  clock.advance(FIRST_WORD_MS - 1);
  expect(told).toEqual([]);
  clock.advance(1);
  expect(told).toEqual([failing('said nothing within 5000 ms')]);
  expect(registry.watches).toBe(1);
  watch.stop();
});

it('a watch that emits nonsense during subscribe is unsubscribed before the next watch begins', () => {
  let open = 0;
  const nonsense = new Observable<RegistryUpdate>((subscriber) => {
    open++;
    subscriber.next({ kind: 'reset', snapshot: 5 } as unknown as RegistryUpdate);
    return () => open--;
  });
  const watch = keep(new OddRegistry([() => nonsense]));
  expect(open).toBe(0);
  clock.advance(10_000);
  expect(open).toBe(0);
  watch.stop();
});

it('a stopped watch passes on nothing and does not watch again', () => {
  const registry = new OddRegistry([() => EMPTY]);
  const watch = keep(registry);
  watch.stop();
  clock.advance(60_000);
  expect([registry.watches, told.length, clock.pendingTimers]).toEqual([1, 1, 0]);
});

it('a watch that its callback stops does not watch again, even if the callback then throws', () => {
  const updates = new Subject<RegistryUpdate>();
  const registry = new OddRegistry([() => updates]);
  const watch: KeptWatch = new KeptWatch(registry, 'api', clock, () => {
    watch.stop();
    throw new Error('too late');
  });
  updates.next(LIST);
  expect([clock.pendingTimers, updates.observed]).toEqual([0, false]);
  clock.advance(60_000);
  expect(registry.watches).toBe(1);
});

it('a registry that has emitted an update may emit nothing for longer than 5 s', () => {
  const watch = keep(new OddRegistry([() => concat(of(LIST), NEVER)]));
  expect(clock.pendingTimers).toBe(0);
  clock.advance(60_000);
  expect(told).toEqual(['reset']);
  watch.stop();
});

it('a watch that ends has one timer: the delay until the next one', () => {
  const watch = keep(new OddRegistry([() => EMPTY]));
  expect([clock.pendingTimers, clock.nextTimerMs]).toEqual([1, 1_000]);
  watch.stop();
});

it('a watch that its callback stops passes on no further update of the same call', () => {
  const registry = new OddRegistry([() => EMPTY, () => of(LIST, LIST)]);
  const kinds: string[] = [];
  const watch: KeptWatch = new KeptWatch(registry, 'api', clock, ({ kind }) => {
    kinds.push(kind);
    if (kind === 'reset') watch.stop();
  });
  clock.advance(60_000);
  expect(kinds).toEqual(['failure', 'reset']);
  expect(clock.pendingTimers).toBe(0);
});

it('the delay between watches stays at 30 s after thousands of failures', () => {
  const registry = new OddRegistry([() => EMPTY]);
  const watch = keep(registry);
  clock.advance(2_000 * 30_000);
  const { watches } = registry;
  expect(watches).toBeGreaterThan(1_990);
  clock.advance(30_000);
  expect(registry.watches).toBe(watches + 1);
  watch.stop();
});
