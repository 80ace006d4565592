import { EMPTY } from 'rxjs';
import { beforeEach, describe, expect, it } from 'vitest';
import {
  type DirectoryState,
  GATHER_PER_PUBLISH,
  MAX_GATHER_MS,
  ServiceDirectory,
  SNAPSHOT_WAIT_MS,
} from '../../../../lib/registry/directory/service-directory.js';
import type { SnapshotStore } from '../../../../lib/registry/directory/snapshot-store.js';
import { FakeClock } from '../../../../lib/testing/fake-clock.js';
import { ScriptedRegistry } from '../scripted-registry.js';

let clock: FakeClock;
let registry: ScriptedRegistry;
let directory: ServiceDirectory;
let states: DirectoryState[];

/** The addresses of each list published since the last call; `undefined` for none yet. */
function lists(): (readonly string[] | undefined)[] {
  return states.splice(0).map(({ endpoints }) => endpoints?.map(({ address }) => address));
}

beforeEach(() => {
  clock = new FakeClock(1_000);
  registry = new ScriptedRegistry();
  directory = new ServiceDirectory(registry, 'api', { clock });
  states = [];
  directory.state$.subscribe((state) => states.push(state));
  directory.start();
});

const leftOut = (count: number) =>
  [{ kind: 'no-record', count, key: 'api/x', reason: 'it is not JSON' }] as const;

describe('ServiceDirectory', () => {
  it('has no list until the registry has answered', () => {
    expect(states).toEqual([{ endpoints: undefined, error: undefined }]);
    registry.reset('api');
    expect(directory.state).toEqual({ endpoints: [], error: undefined });
  });

  it('publishes the first change at once', () => {
    registry.reset('api', 'h:1');
    expect(lists()).toEqual([undefined, ['h:1']]);
    clock.advance(1_000);
    registry.put('api', 'h:2');
    expect(lists()).toEqual([['h:1', 'h:2']]);
  });

  it('publishes the first page of a list while the rest is being read', () => {
    registry.begin('api', 'h:1');
    expect(directory.state).toEqual({
      endpoints: [{ address: 'h:1', metadata: null }],
      error: undefined,
      isPart: true,
    });
    registry.reset('api', 'h:1');
    expect(directory.state).toEqual({
      endpoints: [{ address: 'h:1', metadata: null }],
      error: undefined,
    });
    expect(lists()).toEqual([undefined, ['h:1'], ['h:1']]);
  });

  it('publishes no first page without an endpoint: calls then wait for the whole list', () => {
    registry.begin('api');
    registry.begin('api', 'nonsense');
    expect(lists()).toEqual([undefined]);
  });

  it('publishes no first page after a whole list', () => {
    registry.reset('api', 'h:1', 'h:2');
    lists();
    registry.begin('api', 'h:1');
    clock.advance(50);
    expect(lists()).toEqual([]);
  });

  it('keeps the first page if the registry fails before the whole list', () => {
    registry.begin('api', 'h:1');
    const error = registry.fail('api');
    expect(directory.state).toMatchObject({ error, isPart: true });
    registry.reset('api', 'h:1', 'h:2');
    expect(directory.state).toMatchObject({ error: undefined });
    expect(directory.state.isPart).toBeUndefined();
  });

  it('coalesces the changes of the next 50 ms into one list', () => {
    registry.reset('api', 'h:1');
    lists();
    registry.put('api', 'h:2');
    clock.advance(20);
    registry.put('api', 'h:3');
    registry.remove('api', 'h:1');
    clock.advance(29);
    expect(lists()).toEqual([]);
    clock.advance(1);
    expect(lists()).toEqual([['h:2', 'h:3']]);
  });

  it('publishes one list per 50 ms during a storm of changes', () => {
    registry.reset('api', 'h:1');
    lists();
    for (let port = 2; port <= 101; port++) {
      registry.put('api', `h:${port}`);
      clock.advance(10);
    }
    const told = lists();
    expect(told).toHaveLength(20);
    expect(told.at(-1)).toHaveLength(101);
  });

  it('publishes a change at once after 50 ms without changes', () => {
    registry.reset('api', 'h:1');
    clock.advance(50);
    lists();
    registry.remove('api', 'h:1');
    expect(lists()).toEqual([[]]);
  });

  it('does not publish a list again that has not changed', () => {
    registry.reset('api', 'h:1', { address: 'h:2', metadata: { weight: 1 } });
    clock.advance(50);
    lists();
    registry.reset('api', 'h:1', { address: 'h:2', metadata: { weight: 1 } });
    registry.put('api', 'h:1');
    clock.advance(50);
    registry.put('api', 'h:3');
    expect(lists()).toEqual([['h:1', 'h:2', 'h:3']]);
  });

  it('does not publish changes that cancel each other out within 50 ms', () => {
    registry.reset('api', 'h:1');
    lists();
    registry.put('api', 'h:2');
    registry.remove('api', 'h:2');
    clock.advance(50);
    expect(lists()).toEqual([]);
    expect(clock.pendingTimers).toBe(0);
  });

  it('publishes a list again when only metadata changed', () => {
    registry.reset('api', { address: 'h:1', metadata: { weight: 1 } });
    clock.advance(50);
    registry.put('api', { address: 'h:1', metadata: { weight: 2 } });
    expect(directory.state.endpoints).toEqual([{ address: 'h:1', metadata: { weight: 2 } }]);
  });

  it('publishes an empty list again when other records are ignored, coalesced like any change', () => {
    const change = { put: new Map(), removed: [] };
    registry.reset('api');
    clock.advance(50);
    lists();
    for (let count = 1; count <= 100; count++) {
      registry.say('api', { kind: 'change', change, ignored: leftOut(count) });
      expect(directory.ignored).toMatchObject([{ count }]);
      clock.advance(1);
    }
    expect(lists()).toEqual([[], [], []]);
    registry.put('api', 'h:1');
    expect(directory.ignored).toEqual([]);
    clock.advance(50);
    lists();
    registry.say('api', { kind: 'change', change, ignored: leftOut(1) });
    clock.advance(50);
    expect(lists()).toEqual([]);
  });

  it('replaces the whole list after a reset', () => {
    registry.reset('api', 'h:1', 'h:2');
    clock.advance(50);
    lists();
    registry.reset('api', 'h:3');
    expect(lists()).toEqual([['h:3']]);
  });

  it('lists each address once, and only addresses that can be dialled', () => {
    const same = { address: 'h:1', metadata: null };
    registry.say('api', {
      kind: 'reset',
      snapshot: new Map([
        ['x', same],
        ['y', same],
        ['z', { address: 'nonsense', metadata: null }],
      ]),
    });
    expect(lists()).toEqual([undefined, ['h:1']]);
  });

  it.each([
    ['deleted', undefined],
    ['announced as leaving, and deleted', ['h:1#1']],
  ])('keeps an address until its last key is gone: one key is %s', (_, left) => {
    const same = { address: 'h:1', metadata: null };
    const remove = (key: string) =>
      registry.say('api', {
        kind: 'change',
        change: { put: new Map(), removed: [key] },
        ...(left === undefined ? {} : { left: [key] }),
      });
    registry.say('api', {
      kind: 'reset',
      snapshot: new Map([
        ['h:1#1', { ...same, incarnation: '1' }],
        ['h:1#2', { ...same, incarnation: '2' }],
      ]),
    });
    lists();
    clock.advance(1_000);
    remove('h:1#1');
    clock.advance(1_000);
    expect(directory.state.endpoints?.map(({ address }) => address)).toEqual(['h:1']);
    expect(lists().every((list) => list?.length === 1)).toBe(true);
    remove('h:1#2');
    clock.advance(1_000);
    expect(directory.state.endpoints).toEqual([]);
  });

  it('coalesces for fifty times as long as its clients took for the last list', () => {
    registry.reset('api', 'h:1');
    clock.advance(50);
    const cost = directory.state$.subscribe(({ endpoints }) => {
      if (endpoints?.length === 2) clock.advance(30);
    });
    registry.put('api', 'h:2');
    lists();
    registry.put('api', 'h:3');
    clock.advance(GATHER_PER_PUBLISH * 30 - 1);
    expect(lists()).toEqual([]);
    clock.advance(1);
    expect(lists()).toEqual([['h:1', 'h:2', 'h:3']]);
    registry.put('api', 'h:4');
    clock.advance(50);
    expect(lists()).toHaveLength(1);
    cost.unsubscribe();
  });

  it('coalesces for at most 5 s after the process was suspended during a publication', () => {
    registry.reset('api', 'h:1');
    clock.advance(50);
    const suspension = directory.state$.subscribe(({ endpoints }) => {
      if (endpoints?.length === 2) clock.advance(60_000);
    });
    registry.put('api', 'h:2');
    lists();
    registry.put('api', 'h:3');
    clock.advance(MAX_GATHER_MS - 1);
    expect(lists()).toEqual([]);
    clock.advance(1);
    expect(lists()).toEqual([['h:1', 'h:2', 'h:3']]);
    suspension.unsubscribe();
  });

  it('coalesces for the given debounceMs', () => {
    const slow = new ServiceDirectory(registry, 'web', { clock, debounceMs: 500 });
    slow.start();
    registry.reset('web', 'h:1');
    registry.put('web', 'h:2');
    clock.advance(499);
    expect(slow.state.endpoints).toHaveLength(1);
    clock.advance(1);
    expect(slow.state.endpoints).toHaveLength(2);
  });
});

describe('ServiceDirectory, while the registry is away', () => {
  it('the last good list stays, together with the error', () => {
    registry.reset('api', 'h:1');
    const before = directory.state.endpoints;
    const error = registry.fail('api');
    expect(directory.state).toEqual({ endpoints: before, error });
    expect(directory.state.endpoints).toBe(before);
  });

  it('before the first list there is an error and no list', () => {
    const error = registry.fail('api');
    expect(directory.state).toEqual({ endpoints: undefined, error });
    registry.reset('api', 'h:1');
    expect(directory.state.error).toBeUndefined();
  });

  it('an identical list afterwards clears the error and keeps the array of endpoints', () => {
    registry.reset('api', 'h:1');
    clock.advance(50);
    const before = directory.state.endpoints;
    registry.fail('api');
    registry.reset('api', 'h:1');
    expect(directory.state.error).toBeUndefined();
    expect(directory.state.endpoints).toBe(before);
    expect(states).toHaveLength(4);
  });

  it('a failure does not lose the changes that are being coalesced', () => {
    registry.reset('api', 'h:1');
    registry.put('api', 'h:2');
    const error = registry.fail('api');
    expect(directory.state).toMatchObject({ endpoints: [{ address: 'h:1' }], error });
    clock.advance(50);
    expect(directory.state.endpoints).toHaveLength(2);
  });
});

describe('ServiceDirectory, from start to stop', () => {
  it('watches once, however often it is started', () => {
    directory.start();
    expect(registry.watching('api')).toBe(1);
  });

  it('ends its watch and its timer on stop, and publishes nothing afterwards', () => {
    registry.reset('api', 'h:1');
    registry.put('api', 'h:2');
    lists();
    directory.stop();
    expect(registry.watching('api')).toBe(0);
    expect(clock.pendingTimers).toBe(0);
    clock.advance(1_000);
    expect(lists()).toEqual([]);
  });

  it('does not wait for its kept list after stop', () => {
    const loaded: string[] = [];
    const snapshots: SnapshotStore = {
      load: (service) => void loaded.push(service),
      save: () => {},
      confirm: () => {},
      events$: EMPTY,
    };
    const pending = clock.pendingTimers;
    const stopped = new ServiceDirectory(registry, 'web', { clock, snapshots });
    stopped.start();
    expect(clock.nextTimerMs).toBe(SNAPSHOT_WAIT_MS);
    stopped.stop();
    expect(clock.pendingTimers).toBe(pending);
    clock.advance(SNAPSHOT_WAIT_MS);
    expect(loaded).toEqual([]);
  });

  it('publishes the changes that it had not published before the stop at once when it is started again', () => {
    registry.reset('api', 'h:1');
    registry.put('api', 'h:2');
    directory.stop();
    directory.start();
    lists();
    registry.reset('api', 'h:3');
    expect(lists()).toEqual([['h:3']]);
  });

  it('passes a hint to its registry, for its own service', () => {
    directory.refresh();
    expect(registry.refreshed).toEqual(['api']);
  });

  it('gives a late subscriber the current state', () => {
    registry.reset('api', 'h:1');
    const late: DirectoryState[] = [];
    directory.state$.subscribe((state) => late.push(state));
    expect(late).toEqual([directory.state]);
  });
});
