import { beforeEach, describe, expect, it } from 'vitest';
import {
  type DirectoryState,
  GATHER_PER_PUBLISH,
  MAX_GATHER_MS,
  ServiceDirectory,
} from '../../../../lib/registry/directory/service-directory.js';
import { FakeClock } from '../../../../lib/testing/fake-clock.js';
import { ScriptedRegistry } from '../scripted-registry.js';

let clock: FakeClock;
let registry: ScriptedRegistry;
let directory: ServiceDirectory;
let states: DirectoryState[];

/** The addresses of each list told since the last call; `undefined` for none yet. */
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

describe('the list of a directory', () => {
  it('is unknown until the registry has answered', () => {
    expect(states).toEqual([{ endpoints: undefined, error: undefined }]);
    registry.reset('api');
    expect(directory.state).toEqual({ endpoints: [], error: undefined });
  });

  it('passes the first change on at once', () => {
    registry.reset('api', 'h:1');
    expect(lists()).toEqual([undefined, ['h:1']]);
    clock.advance(1_000);
    registry.put('api', 'h:2');
    expect(lists()).toEqual([['h:1', 'h:2']]);
  });

  it('is told as a part of itself while the rest of it is on its way', () => {
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

  it('is no longer told in parts once it was whole', () => {
    registry.reset('api', 'h:1', 'h:2');
    lists();
    registry.begin('api', 'h:1');
    clock.advance(50);
    expect(lists()).toEqual([]);
  });

  it('stays a part where the registry fails before the rest of it has come', () => {
    registry.begin('api', 'h:1');
    const error = registry.fail('api');
    expect(directory.state).toMatchObject({ error, isPart: true });
    registry.reset('api', 'h:1', 'h:2');
    expect(directory.state).toMatchObject({ error: undefined });
    expect(directory.state.isPart).toBeUndefined();
  });

  it('gathers the changes of the next 50 ms into one list', () => {
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

  it('goes on gathering after a gathered list, so that a storm makes a list per 50 ms', () => {
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

  it('is passed on at once again after a quiet 50 ms', () => {
    registry.reset('api', 'h:1');
    clock.advance(50);
    lists();
    registry.remove('api', 'h:1');
    expect(lists()).toEqual([[]]);
  });

  it('is not told again where nothing changed', () => {
    registry.reset('api', 'h:1', { address: 'h:2', metadata: { weight: 1 } });
    clock.advance(50);
    lists();
    registry.reset('api', 'h:1', { address: 'h:2', metadata: { weight: 1 } });
    registry.put('api', 'h:1');
    clock.advance(50);
    registry.put('api', 'h:3');
    expect(lists()).toEqual([['h:1', 'h:2', 'h:3']]);
  });

  it('is not told where changes within 50 ms undo each other', () => {
    registry.reset('api', 'h:1');
    lists();
    registry.put('api', 'h:2');
    registry.remove('api', 'h:2');
    clock.advance(50);
    expect(lists()).toEqual([]);
    expect(clock.pendingTimers).toBe(0);
  });

  it('is told anew when only metadata changed', () => {
    registry.reset('api', { address: 'h:1', metadata: { weight: 1 } });
    clock.advance(50);
    registry.put('api', { address: 'h:1', metadata: { weight: 2 } });
    expect(directory.state.endpoints).toEqual([{ address: 'h:1', metadata: { weight: 2 } }]);
  });

  it('is told again while it is empty and something else is left out, gathered like any change', () => {
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

  it('is replaced as a whole by a reset', () => {
    registry.reset('api', 'h:1', 'h:2');
    clock.advance(50);
    lists();
    registry.reset('api', 'h:3');
    expect(lists()).toEqual([['h:3']]);
  });

  it('holds each address once, and none that nobody could dial', () => {
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

  it('gathers for fifty times as long as the last list took its clients', () => {
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

  it('gathers for no longer than 5 s after a process was suspended while it passed a list on', () => {
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

  it('gathers for as long as it was told to', () => {
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

describe('with the registry away', () => {
  it('the last good list stays, beside the error', () => {
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

  it('an identical list that follows clears the error and keeps the list itself', () => {
    registry.reset('api', 'h:1');
    clock.advance(50);
    const before = directory.state.endpoints;
    registry.fail('api');
    registry.reset('api', 'h:1');
    expect(directory.state.error).toBeUndefined();
    expect(directory.state.endpoints).toBe(before);
    expect(states).toHaveLength(4);
  });

  it('a failure while changes are gathered does not lose them', () => {
    registry.reset('api', 'h:1');
    registry.put('api', 'h:2');
    const error = registry.fail('api');
    expect(directory.state).toMatchObject({ endpoints: [{ address: 'h:1' }], error });
    clock.advance(50);
    expect(directory.state.endpoints).toHaveLength(2);
  });
});

describe('a directory', () => {
  it('watches once, however often it is started', () => {
    directory.start();
    expect(registry.watching('api')).toBe(1);
  });

  it('that is stopped ends its watch and its timer, and tells nothing more', () => {
    registry.reset('api', 'h:1');
    registry.put('api', 'h:2');
    lists();
    directory.stop();
    expect(registry.watching('api')).toBe(0);
    expect(clock.pendingTimers).toBe(0);
    clock.advance(1_000);
    expect(lists()).toEqual([]);
  });

  it('can be started again, and tells what has changed meanwhile at once', () => {
    registry.reset('api', 'h:1');
    registry.put('api', 'h:2');
    directory.stop();
    directory.start();
    lists();
    registry.reset('api', 'h:3');
    expect(lists()).toEqual([['h:3']]);
  });

  it('passes a hint on to its registry, for its own service', () => {
    directory.refresh();
    expect(registry.refreshed).toEqual(['api']);
  });

  it('tells a late subscriber how things stand', () => {
    registry.reset('api', 'h:1');
    const late: DirectoryState[] = [];
    directory.state$.subscribe((state) => late.push(state));
    expect(late).toEqual([directory.state]);
  });
});
