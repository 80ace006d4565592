/** How long a directory waits, what it cancels, and what it reports of its lists. */
import { EMPTY } from 'rxjs';
import { beforeEach, describe, expect, it } from 'vitest';
import type { DirectoryEvent } from '../../../../lib/core/discovery-event.js';
import { DEFAULT_REMOVAL_GUARD } from '../../../../lib/core/snapshot/removal-guard.js';
import type { Snapshot } from '../../../../lib/core/snapshot/snapshot.js';
import { ServiceDirectory } from '../../../../lib/registry/directory/service-directory.js';
import type { SnapshotStore } from '../../../../lib/registry/directory/snapshot-store.js';
import { FakeClock } from '../../../../lib/testing/fake-clock.js';
import { ScriptedRegistry } from '../scripted-registry.js';

let clock: FakeClock;
let registry: ScriptedRegistry;
let events: DirectoryEvent[];
let loads: number;
let kept: Snapshot | undefined;

const snapshots: SnapshotStore = {
  load: () => {
    loads++;
    return kept && { snapshot: kept, savedAt: 77 };
  },
  save: () => {},
  confirm: () => {},
  events$: EMPTY,
};

beforeEach(() => {
  clock = new FakeClock(1_000);
  registry = new ScriptedRegistry();
  events = [];
  loads = 0;
  kept = undefined;
});

const onEvent = (event: DirectoryEvent): number => events.push(event);

function start(options: { readonly snapshots?: SnapshotStore } = {}): ServiceDirectory {
  const removalGuard = DEFAULT_REMOVAL_GUARD;
  const directory = new ServiceDirectory(registry, 'api', {
    clock,
    removalGuard,
    onEvent,
    ...options,
  });
  directory.start();
  return directory;
}

const used = ({ state }: ServiceDirectory): readonly string[] | undefined =>
  state.endpoints?.map(({ address }) => address);

/** The delays after which the timers that wait fire, in milliseconds; the clock is behind them then. */
function delays(): number[] {
  const found: number[] = [];
  let passedMs = 0;
  while (clock.nextTimerMs !== undefined && found.length < 10) {
    passedMs += clock.nextTimerMs;
    found.push(passedMs);
    clock.advance(clock.nextTimerMs);
  }
  return found;
}

describe('the wait for a kept list', () => {
  it('lasts 500 ms', () => {
    kept = new Map([['api/h:1', { address: 'h:1', metadata: null }]]);
    const directory = start({ snapshots });
    clock.advance(499);
    expect(used(directory)).toBeUndefined();
    clock.advance(1);
    expect(used(directory)).toEqual(['h:1']);
    expect(events).toEqual([{ type: 'snapshot-used', service: 'api', total: 1, savedAt: 77 }]);
  });

  it('does not begin if no store keeps lists: the directory waits only for the first answer of the registry', () => {
    start();
    expect(delays()).toEqual([5_000]);
  });

  it('ends with the answer of the registry', () => {
    start({ snapshots });
    registry.reset('api');
    // Changes are coalesced for 50 ms.
    expect(delays()).toEqual([50]);
    expect(loads).toBe(0);
  });

  it('ends when the registry fails: the kept list is read at once, and once', () => {
    start({ snapshots });
    registry.fail('api');
    expect([loads, clock.pendingTimers]).toEqual([1, 0]);
  });

  it('does not begin when a directory that has a list is started again', () => {
    const directory = start({ snapshots });
    registry.reset('api', 'h:1');
    directory.stop();
    directory.start();
    expect(delays()).toEqual([5_000]);
    expect(loads).toBe(0);
  });

  it('goes on after the first page of a list, and the kept list then replaces this page', () => {
    kept = new Map([['api/h:1', { address: 'h:1', metadata: null }]]);
    const directory = start({ snapshots });
    registry.begin('api', 'h:2');
    clock.advance(500);
    expect(used(directory)).toEqual(['h:1']);
    expect(directory.state.isPart).toBeUndefined();
  });
});

it('a kept list that the registry confirms has no age any more, also if the registry never failed', () => {
  kept = new Map([['api/h:1', { address: 'h:1', metadata: null }]]);
  const directory = start({ snapshots });
  clock.advance(500);
  expect(directory.state.savedAt).toBe(77);
  registry.reset('api', 'h:1');
  expect(directory.state).toEqual({
    endpoints: [{ address: 'h:1', metadata: null }],
    error: undefined,
  });
});

it('a directory reports which addresses each of its lists adds and removes', () => {
  start();
  registry.reset('api', 'h:1', 'h:2');
  clock.advance(50);
  registry.say('api', {
    kind: 'change',
    change: {
      put: new Map([['h:3', { address: 'h:3', metadata: null }]]),
      removed: ['h:1'],
    },
  });
  const what = { type: 'endpoints-changed', service: 'api' };
  expect(events).toEqual([
    { ...what, added: ['h:1', 'h:2'], removed: [], total: 2 },
    { ...what, added: ['h:3'], removed: ['h:1'], total: 2 },
  ]);
});

it('a directory reports every address of the whole list after the first page of it', () => {
  start();
  registry.begin('api', 'h:1');
  expect(events).toEqual([]);
  registry.reset('api', 'h:1', 'h:2');
  expect(events).toMatchObject([{ added: ['h:1', 'h:2'], removed: [], total: 2 }]);
});

/** Publishes a list whose clients take `tookMs` for it, then changes it, and waits for the next list. */
function waitAfter(tookMs: number): number | undefined {
  const directory = start();
  registry.reset('api', 'h:1');
  clock.advance(50);
  directory.state$.subscribe(({ endpoints }) => {
    if (endpoints?.length === 2) clock.advance(tookMs);
  });
  registry.put('api', 'h:2');
  return clock.nextTimerMs;
}

describe('the time for which changes are coalesced', () => {
  it.each([
    [0, 50],
    [1, 50],
    [2, 100],
    [30, 1_500],
    [100, 5_000],
    [60_000, 5_000],
  ])('after a publication of %i ms is %i ms', (tookMs, delayMs) => {
    expect(waitAfter(tookMs)).toBe(delayMs);
  });
});

it('the end of a hold changes the list while the registry is away, and the error stays', () => {
  const directory = start();
  const channel = directory.connections.open();
  registry.reset('api', 'h:1', 'h:2', 'h:3');
  for (const address of ['h:1', 'h:2']) channel.report(address, true);
  clock.advance(60_000);
  registry.reset('api');
  expect(directory.state.held).toEqual(['h:1', 'h:2']);
  clock.advance(1_000);
  const error = registry.fail('api');
  channel.report('h:1', false);
  clock.advance(10_000);
  expect(used(directory)).toEqual(['h:2']);
  expect(directory.state).toMatchObject({ error, held: ['h:2'] });
});
