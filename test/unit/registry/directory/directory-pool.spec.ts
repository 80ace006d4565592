import { of, Subject } from 'rxjs';
import { beforeEach, describe, expect, it } from 'vitest';
import type { DirectoryEvent, DiscoveryEvent } from '../../../../lib/core/discovery-event.js';
import { DirectoryPool } from '../../../../lib/registry/directory/directory-pool.js';
import type { SnapshotStore } from '../../../../lib/registry/directory/snapshot-store.js';
import { FakeClock } from '../../../../lib/testing/fake-clock.js';
import { ScriptedRegistry } from '../scripted-registry.js';

let registry: ScriptedRegistry;
let pool: DirectoryPool;

beforeEach(() => {
  registry = new ScriptedRegistry();
  pool = new DirectoryPool(registry, { clock: new FakeClock() });
});

it('one directory and one watch serve all users of a service', () => {
  const uses = [pool.acquire('api'), pool.acquire('api'), pool.acquire('api')];
  expect(new Set(uses.map(({ directory }) => directory)).size).toBe(1);
  expect(registry.started).toEqual(['api']);
  expect(uses[0]?.directory.service).toBe('api');
});

it('each service has a directory of its own', () => {
  const [api, api2] = [pool.acquire('api'), pool.acquire('api2')];
  registry.reset('api', 'h:1');
  expect(api.directory.state.endpoints).toHaveLength(1);
  expect(api2.directory.state.endpoints).toBeUndefined();
});

it('the watch ends with the last release', () => {
  const [one, other] = [pool.acquire('api'), pool.acquire('api')];
  one.release();
  expect(registry.watching('api')).toBe(1);
  other.release();
  expect(registry.watching('api')).toBe(0);
});

it('releasing one use of a directory twice counts once: the watch goes on for the other user', () => {
  const [one, other] = [pool.acquire('api'), pool.acquire('api')];
  one.release();
  one.release();
  one.release();
  expect(registry.watching('api')).toBe(1);
  other.release();
  expect(registry.watching('api')).toBe(0);
});

it('after the last release the next request starts a watch anew', () => {
  const first = pool.acquire('api');
  registry.reset('api', 'h:1');
  first.release();
  const second = pool.acquire('api');
  expect(second.directory).not.toBe(first.directory);
  expect(second.directory.state.endpoints).toBeUndefined();
  expect(registry.started).toEqual(['api', 'api']);
  first.release();
  expect(registry.watching('api')).toBe(1);
});

it('a late user of a directory gets the known list', () => {
  pool.acquire('api');
  registry.reset('api', 'h:1');
  expect(pool.acquire('api').directory.state.endpoints).toHaveLength(1);
});

it('the pool names its directories in use', () => {
  const [api, web] = [pool.acquire('api'), pool.acquire('web')];
  expect([...pool.directories]).toEqual([
    ['api', api.directory],
    ['web', web.directory],
  ]);
  web.release();
  expect([...pool.directories.keys()]).toEqual(['api']);
});

describe('the events of a pool', () => {
  const failed: DirectoryEvent = { type: 'service-config-ignored', service: 'x', reason: 'kept' };

  class NoisyRegistry extends ScriptedRegistry {
    readonly events = new Subject<DiscoveryEvent>();

    override get events$(): Subject<DiscoveryEvent> {
      return this.events;
    }
  }

  it('are those of its registry, of its directories and of the store of their lists', () => {
    const noisy = new NoisyRegistry();
    const snapshots: SnapshotStore = {
      load: () => undefined,
      save: () => {},
      confirm: () => {},
      events$: of(failed),
    };
    pool = new DirectoryPool(noisy, { clock: new FakeClock(), snapshots });
    const events: DiscoveryEvent[] = [];
    pool.events$.subscribe((event) => events.push(event));
    noisy.events.next({ type: 'deregistered', key: 'api/h:1' });
    pool.acquire('api');
    noisy.reset('api', 'h:1');
    expect(events.map(({ type }) => type)).toEqual([
      'service-config-ignored',
      'deregistered',
      'endpoints-changed',
    ]);
  });

  it('are those of its registry and of its directories if no store keeps their lists', () => {
    const events: DiscoveryEvent[] = [];
    pool.events$.subscribe((event) => events.push(event));
    pool.acquire('api');
    registry.reset('api', 'h:1');
    expect(events).toEqual([
      { type: 'endpoints-changed', service: 'api', added: ['h:1'], removed: [], total: 1 },
    ]);
  });
});
