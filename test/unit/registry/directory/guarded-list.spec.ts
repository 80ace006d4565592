import { beforeEach, describe, expect, it } from 'vitest';
import { DiscoveryError } from '../../../../lib/core/discovery-error.js';
import type { DirectoryEvent } from '../../../../lib/core/discovery-event.js';
import {
  DEFAULT_REMOVAL_GUARD,
  type RemovalGuardPolicy,
} from '../../../../lib/core/snapshot/removal-guard.js';
import type { Snapshot } from '../../../../lib/core/snapshot/snapshot.js';
import type { ConnectionReporter } from '../../../../lib/registry/directory/connection-reports.js';
import {
  GuardedList,
  RECONNECT_GRACE_MS,
} from '../../../../lib/registry/directory/guarded-list.js';
import { FakeClock } from '../../../../lib/testing/fake-clock.js';

const { maxHoldMs } = DEFAULT_REMOVAL_GUARD;

let clock: FakeClock;
let list: GuardedList;
let channel: ConnectionReporter;
let events: DirectoryEvent[];
/** How often the list reported that a hold ended by itself. */
let releases: number;

function create(policy: RemovalGuardPolicy | undefined = DEFAULT_REMOVAL_GUARD): GuardedList {
  return new GuardedList({
    service: 'api',
    clock,
    policy,
    onEvent: (event) => events.push(event),
    onReleased: () => releases++,
  });
}

const snapshotOf = (addresses: readonly string[]): Snapshot =>
  new Map(addresses.map((address) => [`api/${address}`, { address, metadata: null }]));

const reset = (...addresses: string[]): void =>
  list.apply({ kind: 'reset', snapshot: snapshotOf(addresses) });
const put = (...addresses: string[]): void =>
  list.apply({ kind: 'change', change: { put: snapshotOf(addresses), removed: [] } });
const fail = (): void =>
  list.apply({ kind: 'failure', error: new DiscoveryError('REGISTRY_UNAVAILABLE', 'away') });
const connect = (...addresses: string[]): void => {
  for (const address of addresses) channel.report(address, true);
};
const disconnect = (...addresses: string[]): void => {
  for (const address of addresses) channel.report(address, false);
};
const used = (): string[] => list.usable.map(({ address }) => address);

beforeEach(() => {
  clock = new FakeClock(1_000);
  events = [];
  releases = 0;
  list = create();
  channel = list.connections.open();
  list.start();
});

/** A list of two connected endpoints that the registry dropped at once. */
function hold(): void {
  reset('h:1', 'h:2');
  connect('h:1', 'h:2');
  clock.advance(60_000);
  reset();
  events.length = 0;
}

describe('the list of a registry that answers', () => {
  it('is what the registry sent, and needs no timer', () => {
    reset('h:1', 'h:2');
    put('h:3');
    expect(used()).toEqual(['h:1', 'h:2', 'h:3']);
    expect([...list.snapshot.keys()]).toEqual(['api/h:1', 'api/h:2', 'api/h:3']);
    expect([list.held, list.isAway, clock.pendingTimers]).toEqual([[], false, 0]);
  });

  it('is away from a failure to the next answer', () => {
    reset('h:1');
    fail();
    expect([used(), list.isAway]).toEqual([['h:1'], true]);
    reset('h:1');
    expect(list.isAway).toBe(false);
  });
});

describe('a removal of all connected endpoints', () => {
  it('is held and reported, with the service, the addresses and the reason', () => {
    reset('h:1', 'h:2', 'h:3');
    connect('h:1', 'h:2');
    clock.advance(60_000);
    reset();
    expect([used(), list.held]).toEqual([
      ['h:1', 'h:2'],
      ['h:1', 'h:2'],
    ]);
    expect(events).toEqual([
      {
        type: 'removals-held',
        service: 'api',
        addresses: ['h:1', 'h:2'],
        reason: 'many-at-once',
      },
    ]);
    expect(releases).toBe(0);
  });

  it('is not held without a policy', () => {
    list = new GuardedList({
      service: 'api',
      clock,
      policy: undefined,
      onEvent: undefined,
      onReleased: () => releases++,
    });
    channel = list.connections.open();
    list.start();
    hold();
    expect([used(), clock.pendingTimers]).toEqual([[], 0]);
  });

  it('is held even if nothing subscribes to the events', () => {
    list = new GuardedList({
      service: 'api',
      clock,
      policy: DEFAULT_REMOVAL_GUARD,
      onEvent: undefined,
      onReleased: () => {},
    });
    channel = list.connections.open();
    list.start();
    hold();
    expect(used()).toEqual(['h:1', 'h:2']);
  });

  it('takes effect when the hold has lasted for maxHoldMs, and the list reports that once', () => {
    hold();
    expect(clock.nextTimerMs).toBe(maxHoldMs);
    clock.advance(maxHoldMs - 1);
    expect([used(), releases]).toEqual([['h:1', 'h:2'], 0]);
    clock.advance(1);
    expect([used(), list.held, releases]).toEqual([[], [], 1]);
    expect(events).toMatchObject([
      { type: 'removals-released', service: 'api', reason: 'expired' },
    ]);
    expect(clock.pendingTimers).toBe(0);
  });

  it('has one timer for the end of the holds, however often the list changes', () => {
    hold();
    clock.advance(1_000);
    for (let change = 0; change < 10; change++) {
      put(`h:${change + 10}`);
      clock.advance(1_000);
      expect(clock.pendingTimers).toBe(1);
    }
    expect(clock.nextTimerMs).toBe(maxHoldMs - 11_000);
  });

  it('restarts the time of the holds after the registry failed and came back', () => {
    hold();
    clock.advance(100_000);
    fail();
    expect(clock.pendingTimers).toBe(0);
    clock.advance(maxHoldMs);
    expect(used()).toEqual(['h:1', 'h:2']);
    reset();
    clock.advance(maxHoldMs - 1);
    expect(used()).toEqual(['h:1', 'h:2']);
    clock.advance(1);
    expect(used()).toEqual([]);
    expect(clock.pendingTimers).toBe(0);
  });

  it('ends its timer when the registry lists the endpoints again, and does not call onReleased', () => {
    hold();
    reset('h:1', 'h:2');
    expect([list.held, clock.pendingTimers, releases]).toEqual([[], 0, 0]);
    expect(events).toMatchObject([{ type: 'removals-released', reason: 'listed' }]);
  });
});

describe('a held endpoint that loses its connection', () => {
  beforeEach(hold);

  it('is removed after 1 s, unless it reconnects', () => {
    disconnect('h:1', 'h:2');
    connect('h:2');
    clock.advance(999);
    expect([used(), releases]).toEqual([['h:1', 'h:2'], 0]);
    clock.advance(1);
    expect([used(), releases]).toEqual([['h:2'], 1]);
  });

  it('restarts the grace of all such endpoints, so that one timer is enough', () => {
    disconnect('h:1');
    clock.advance(600);
    disconnect('h:2');
    expect(clock.pendingTimers).toBe(2);
    clock.advance(600);
    expect(used()).toEqual(['h:1', 'h:2']);
    clock.advance(400);
    expect([used(), releases, clock.pendingTimers]).toEqual([[], 1, 0]);
  });

  it('is held as long as one channel is connected to it', () => {
    const other = list.connections.open();
    other.report('h:1', true);
    channel.close();
    clock.advance(RECONNECT_GRACE_MS);
    expect(used()).toEqual(['h:1']);
    other.close();
    clock.advance(RECONNECT_GRACE_MS);
    expect(used()).toEqual([]);
  });

  it('does not count as released if it reconnects within the grace', () => {
    disconnect('h:1');
    connect('h:1');
    clock.advance(RECONNECT_GRACE_MS);
    expect([used(), releases]).toEqual([['h:1', 'h:2'], 0]);
  });
});

it('a connection that ends starts no grace if its endpoint is not held', () => {
  reset('h:1', 'h:2');
  connect('h:1', 'h:2');
  disconnect('h:1');
  expect(clock.pendingTimers).toBe(0);
});

describe('a list that is stopped', () => {
  it('has no timer, and starts none for connections that end', () => {
    hold();
    disconnect('h:1');
    expect(clock.pendingTimers).toBe(2);
    list.stop();
    expect(clock.pendingTimers).toBe(0);
    disconnect('h:2');
    expect(clock.pendingTimers).toBe(0);
  });

  it('sets the timer of its holds again when it is started and its registry answers', () => {
    hold();
    list.stop();
    list.start();
    reset();
    expect(clock.nextTimerMs).toBe(maxHoldMs);
  });

  it('starts no grace before its first start', () => {
    list = create();
    channel = list.connections.open();
    hold();
    disconnect('h:1');
    // The only timer is that of the hold.
    expect([clock.pendingTimers, clock.nextTimerMs]).toEqual([1, maxHoldMs]);
  });
});

describe('a list that an earlier process kept', () => {
  beforeEach(() => list.remember(snapshotOf(['h:1', 'h:2'])));

  it('is used, and the registry counts as away', () => {
    expect([used(), list.isAway]).toEqual([['h:1', 'h:2'], true]);
  });

  it('is guarded as after an outage: a connected endpoint that the registry does not list is held', () => {
    connect('h:1');
    reset('h:3');
    expect([used(), list.held, list.isAway]).toEqual([['h:3', 'h:1'], ['h:1'], false]);
    expect(events).toMatchObject([{ type: 'removals-held', reason: 'registry-returned' }]);
  });
});
