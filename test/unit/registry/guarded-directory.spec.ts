import { EMPTY } from 'rxjs';
import { beforeEach, describe, expect, it } from 'vitest';
import type { DirectoryEvent } from '../../../lib/core/discovery-event.js';
import { DEFAULT_REMOVAL_GUARD } from '../../../lib/core/snapshot/removal-guard.js';
import type { Snapshot } from '../../../lib/core/snapshot/snapshot.js';
import type { ConnectionReporter } from '../../../lib/registry/directory/connection-reports.js';
import { RECONNECT_GRACE_MS } from '../../../lib/registry/directory/guarded-list.js';
import {
  ServiceDirectory,
  SNAPSHOT_WAIT_MS,
} from '../../../lib/registry/directory/service-directory.js';
import type { SnapshotStore } from '../../../lib/registry/directory/snapshot-store.js';
import { FakeClock } from '../../../lib/testing/fake-clock.js';
import { ScriptedRegistry } from './scripted-registry.js';

let clock: FakeClock;
let registry: ScriptedRegistry;
let directory: ServiceDirectory;
let channel: ConnectionReporter;
let events: DirectoryEvent[];
let kept: Map<string, Snapshot>;
let confirmed: string[];

const used = () => directory.state.endpoints?.map(({ address }) => address);
const told = () => events.splice(0).map(({ type }) => type);
const snapshots: SnapshotStore = {
  load: (service) => {
    const snapshot = kept.get(service);
    return snapshot && { snapshot, savedAt: 77 };
  },
  save: (service, current) => kept.set(service, current()),
  confirm: (service) => confirmed.push(service),
  events$: EMPTY,
};

beforeEach(() => {
  clock = new FakeClock(1_000);
  registry = new ScriptedRegistry();
  events = [];
  kept = new Map();
  confirmed = [];
  directory = new ServiceDirectory(registry, 'api', {
    clock,
    removalGuard: DEFAULT_REMOVAL_GUARD,
    snapshots,
    onEvent: (event) => events.push(event),
  });
  channel = directory.connections.open();
});

describe('a directory whose registry forgot everything', () => {
  beforeEach(() => {
    directory.start();
    registry.reset('api', 'h:1', 'h:2', 'h:3');
    for (const address of ['h:1', 'h:2']) channel.report(address, true);
    clock.advance(60_000);
    told();
    registry.reset('api');
  });

  it('holds the connected endpoints, and reports the hold', () => {
    expect(used()).toEqual(['h:1', 'h:2']);
    expect(directory.state.held).toEqual(['h:1', 'h:2']);
    expect(told()).toEqual(['removals-held', 'endpoints-changed']);
  });

  it('removes held endpoints after maxHoldMs', () => {
    clock.advance(DEFAULT_REMOVAL_GUARD.maxHoldMs);
    expect(used()).toEqual([]);
    expect(directory.state.held).toBeUndefined();
  });

  it('reports the end of the hold when the endpoints are registered again', () => {
    told();
    clock.advance(1_000);
    registry.reset('api', 'h:1', 'h:2');
    expect(directory.state).toMatchObject({ error: undefined });
    expect(directory.state.held).toBeUndefined();
    expect(told()).toEqual(['removals-released']);
    clock.advance(50);
    expect(clock.pendingTimers).toBe(0);
  });

  it('has no timer after stop', () => {
    channel.report('h:1', false);
    directory.stop();
    expect(clock.pendingTimers).toBe(0);
  });
});

it('if a registry drops the last endpoint without an announcement of the server, the directory holds the endpoint while it is connected', () => {
  directory.start();
  registry.reset('api', 'h:1');
  channel.report('h:1', true);
  clock.advance(60_000);
  told();
  registry.remove('api', 'h:1');
  expect(used()).toEqual(['h:1']);
  expect(directory.state.held).toEqual(['h:1']);
  expect(told()).toEqual(['removals-held']);
  channel.report('h:1', false);
  clock.advance(RECONNECT_GRACE_MS);
  expect(used()).toEqual([]);
});

it('a directory holds no removals of a registry whose removals are final', () => {
  class FinalRegistry extends ScriptedRegistry {
    override get removalsAreFinal(): boolean {
      return true;
    }
  }
  registry = new FinalRegistry();
  directory = new ServiceDirectory(registry, 'api', { clock, removalGuard: DEFAULT_REMOVAL_GUARD });
  directory.start();
  registry.reset('api', 'h:1', 'h:2');
  for (const address of ['h:1', 'h:2']) directory.connections.open().report(address, true);
  clock.advance(50);
  registry.reset('api');
  expect(used()).toEqual([]);
});

describe('a kept list', () => {
  beforeEach(() => {
    kept.set('api', new Map([['api/h:1', { address: 'h:1', metadata: null }]]));
    directory.start();
  });

  it('is used once the registry fails, and the state has the age of the list', () => {
    expect(used()).toBeUndefined();
    registry.fail('api');
    expect(directory.state).toMatchObject({ savedAt: 77, error: { code: 'REGISTRY_UNAVAILABLE' } });
    expect(used()).toEqual(['h:1']);
    expect(told()).toEqual(['snapshot-used']);
  });

  it('stays in use while the registry has sent only the beginning of its list', () => {
    clock.advance(SNAPSHOT_WAIT_MS);
    registry.begin('api', 'h:2');
    expect(used()).toEqual(['h:1']);
    expect(directory.state).toMatchObject({ savedAt: 77 });
  });

  it('is guarded as after an outage even if the registry never failed: connected endpoints are held', () => {
    clock.advance(SNAPSHOT_WAIT_MS);
    channel.report('h:1', true);
    registry.reset('api', 'h:2');
    expect(used()?.toSorted()).toEqual(['h:1', 'h:2']);
    expect(directory.state.held).toEqual(['h:1']);
    expect(events).toContainEqual({
      type: 'removals-held',
      service: 'api',
      addresses: ['h:1'],
      reason: 'registry-returned',
    });
  });

  it('is used when the registry does not answer for a while', () => {
    clock.advance(SNAPSHOT_WAIT_MS);
    expect(directory.state).toMatchObject({ savedAt: 77, error: undefined });
    registry.fail('api');
    expect(told()).toEqual(['snapshot-used']);
  });

  it('is replaced by the list of the registry, even by an identical one', () => {
    registry.fail('api');
    registry.reset('api', 'h:1');
    expect(directory.state.savedAt).toBeUndefined();
    expect(directory.state.error).toBeUndefined();
    clock.advance(50);
    registry.put('api', 'h:2');
    expect([...(kept.get('api')?.values() ?? [])].map(({ address }) => address)).toEqual([
      'h:1',
      'h:2',
    ]);
  });

  it('is confirmed each time the registry sends the same list', () => {
    registry.fail('api');
    registry.reset('api', 'h:1');
    expect(confirmed).toEqual(['api']);
    registry.reset('api', 'h:1');
    clock.advance(50);
    expect(confirmed).toEqual(['api', 'api']);
    // Only a whole list without missing endpoints confirms the kept list.
    registry.put('api', 'h:1');
    registry.reset('api', 'h:1', 'h:2', 'h:3');
    clock.advance(60_000);
    for (const address of ['h:1', 'h:2', 'h:3']) channel.report(address, true);
    registry.reset('api');
    clock.advance(50);
    expect(used()).toHaveLength(3);
    expect(confirmed).toHaveLength(2);
  });

  it('is not used once the registry has answered', () => {
    registry.reset('api');
    clock.advance(SNAPSHOT_WAIT_MS);
    registry.fail('api');
    expect(used()).toEqual([]);
  });
});
