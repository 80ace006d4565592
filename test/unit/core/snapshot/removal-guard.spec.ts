import { describe, expect, it } from 'vitest';
import { DiscoveryError } from '../../../../lib/core/discovery-error.js';
import {
  DEFAULT_REMOVAL_GUARD,
  RemovalGuard,
  type RemovalGuardInput,
  type RemovalGuardPolicy,
} from '../../../../lib/core/snapshot/removal-guard.js';
import type { Endpoint } from '../../../../lib/core/records/endpoint.js';
import type { RegistryUpdate } from '../../../../lib/core/snapshot/registry-update.js';
import type { Snapshot } from '../../../../lib/core/snapshot/snapshot.js';
import { seededRandom } from '../../../support/seeded-random.js';

const AWAY = new DiscoveryError('REGISTRY_UNAVAILABLE', 'away');

function snapshotOf(names: string): Snapshot {
  return new Map(
    [...names].map((name) => [`api/${name}`, { address: `${name}:1`, metadata: null }]),
  );
}

/** A guard with its own clock and connections; each letter is an endpoint. */
class Driver {
  now = 1_000_000;
  ready = new Set<string>();
  readonly told: string[] = [];
  lookInMs: number | undefined;
  private guard;

  constructor(
    private readonly policy: RemovalGuardPolicy | undefined = DEFAULT_REMOVAL_GUARD,
    remembered?: string,
  ) {
    this.guard = new RemovalGuard(remembered === undefined ? undefined : snapshotOf(remembered));
  }

  /** The endpoints that clients use, as letters. */
  get used(): string {
    return this.guard.usable.map(({ address }) => address[0]).join('');
  }

  get held(): string {
    return this.guard.heldAddresses.map(([name]) => name).join('');
  }

  reset(names: string): this {
    return this.feed({ type: 'update', update: { kind: 'reset', snapshot: snapshotOf(names) } });
  }

  change(put: string, removed: string): this {
    const keys = [...removed].map((name) => `api/${name}`);
    const change = { put: snapshotOf(put), removed: keys };
    return this.feed({ type: 'update', update: { kind: 'change', change } });
  }

  /** A change whose removals the servers had announced with `draining`. */
  leave(names: string): this {
    const removed = [...names].map((name) => `api/${name}`);
    const change = { put: snapshotOf(''), removed };
    return this.feed({ type: 'update', update: { kind: 'change', change, left: removed } });
  }

  fail(): this {
    return this.feed({ type: 'update', update: { kind: 'failure', error: AWAY } });
  }

  look(): this {
    return this.feed({ type: 'look' });
  }

  connect(names: string): this {
    this.ready = new Set([...names].map((name) => `${name}:1`));
    return this;
  }

  after(ms: number): this {
    this.now += ms;
    return this;
  }

  feed(input: RemovalGuardInput): this {
    const step = this.guard.step(input, {
      now: this.now,
      policy: this.policy,
      isReady: (address) => this.ready.has(address),
    });
    this.lookInMs = step.lookInMs;
    for (const { type, reason, addresses } of step.events) {
      this.told.push(`${type} ${addresses.map(([name]) => name).join('')} ${reason}`);
    }
    return this;
  }
}

const MINUTE = 60_000;

describe('removals while the registry answers', () => {
  it.each([
    ['one of three', 'abc', 'a'],
    ['one of two', 'ab', 'a'],
  ])('take effect at once: %s', (_, before, gone) => {
    const driver = new Driver().reset(before).connect(before).change('', gone);
    expect(driver.used).toBe([...before].filter((name) => name !== gone).join(''));
    expect(driver.told).toEqual([]);
  });

  it('take effect at once if other endpoints replace them', () => {
    const driver = new Driver().reset('abc').connect('abc').change('xyz', 'abc');
    expect(driver.used).toBe('xyz');
  });

  it('take effect at once if they come one by one with time between them', () => {
    const driver = new Driver().reset('abc').connect('abc').change('', 'a');
    driver.after(10_001).change('', 'b');
    expect(driver.used).toBe('c');
  });

  it('of all endpoints at once are held if the connections are ready', () => {
    const driver = new Driver().reset('abc').connect('ab').change('', 'abc');
    expect(driver.used).toBe('ab');
    expect(driver.told).toEqual(['held ab many-at-once']);
  });

  it('in quick succession are held once they reach the share that the policy sets', () => {
    const driver = new Driver().reset('abcdef').connect('abcdef').after(MINUTE);
    for (const name of 'abcdef') driver.after(100).change('', name);
    expect(driver.used).toBe('cdef');
  });

  it('of all endpoints are held too if the list had shrunk before', () => {
    expect(new Driver().reset('abc').connect('abc').after(MINUTE).reset('').used).toBe('abc');
  });

  it('are never held without a policy', () => {
    const driver = new Driver(undefined).reset('abc').connect('abc').fail().reset('');
    expect(driver.used).toBe('abc');
    const off = new Driver({ ...DEFAULT_REMOVAL_GUARD, maxHoldMs: 0 }).reset('abc').connect('abc');
    off.change('', 'abc');
    expect(off.lookInMs).toBe(0);
    expect(off.look().used).toBe('');
  });
});

describe('the guard of a list that becomes empty', () => {
  it('keeps the last endpoint while its connection is ready, if the server announced nothing', () => {
    const driver = new Driver().reset('a').connect('a').after(MINUTE).change('', 'a');
    expect(driver.used).toBe('a');
    expect(driver.told).toEqual(['held a list-emptied']);
    expect(driver.lookInMs).toBe(300_000);
    expect(driver.connect('').look().used).toBe('');
    expect(driver.told.at(-1)).toBe('released a disconnected');
  });

  it('keeps the last endpoint if a new complete list does not have it', () => {
    expect(new Driver().reset('a').connect('a').after(MINUTE).reset('').used).toBe('a');
  });

  it('keeps the last of several endpoints that are removed one by one', () => {
    const driver = new Driver().reset('abc').connect('abc').change('', 'a');
    driver.after(10_001).change('', 'b').after(10_001).change('', 'c');
    expect(driver.used).toBe('c');
  });

  it('keeps the endpoint of an unannounced removal, and not that of an announced removal before it', () => {
    const driver = new Driver().reset('ab').connect('ab').leave('a').after(MINUTE).change('', 'b');
    expect(driver.used).toBe('b');
  });

  it('keeps the last endpoint that a client can dial', () => {
    const driver = new Driver().reset('a').connect('a').after(MINUTE);
    const junk = new Map([['api/junk', { address: 'nonsense', metadata: null }]]);
    driver.feed({
      type: 'update',
      update: { kind: 'change', change: { put: junk, removed: ['api/a'] } },
    });
    expect(driver.used).toBe('a');
  });

  it('keeps no endpoint whose connection is not ready', () => {
    expect(new Driver().reset('a').after(MINUTE).change('', 'a').used).toBe('');
  });

  it('keeps no endpoint that announced its shutdown', () => {
    expect(new Driver().reset('a').connect('a').leave('a').used).toBe('');
  });

  it('ends the hold of the last endpoint once the registry lists it again', () => {
    const driver = new Driver().reset('a').connect('a').after(MINUTE).change('', 'a');
    expect(driver.change('a', '').held).toBe('');
    expect(driver.told.at(-1)).toBe('released a listed');
  });
});

describe('servers that announce their shutdown', () => {
  it('are removed at once, also many together', () => {
    const driver = new Driver().reset('abcdef').connect('abcdef').leave('cd').leave('ef');
    expect(driver.used).toBe('ab');
    expect(driver.told).toEqual([]);
  });

  it('are removed at once also after an outage', () => {
    const driver = new Driver().reset('abc').connect('abc').fail().reset('abc').leave('abc');
    expect(driver.used).toBe('');
  });

  it('do not end the recovery time after an outage: an unannounced removal is still held', () => {
    const driver = new Driver().reset('abcd').connect('abcd').fail().after(MINUTE).reset('abcd');
    driver.after(5_000).leave('a').after(5_000).change('', 'b');
    expect(driver.used).toBe('cdb');
    expect(driver.told).toEqual(['held b registry-returned']);
  });

  it('end an outage, because their removal is an answer of the registry', () => {
    const driver = new Driver().reset('abcdef').connect('abcdef').fail().after(MINUTE).leave('a');
    expect(driver.after(30_000).change('', 'b').used).toBe('cdefb');
    expect(driver.after(1).change('', 'c').used).toBe('defb');
  });

  it('are removed at once although they were held before', () => {
    const driver = new Driver().reset('abc').connect('abc').change('', 'abc');
    expect(driver.held).toBe('abc');
    expect(driver.leave('ab').used).toBe('c');
  });

  it('do not count as suspicious removals: after three announced removals, one unannounced removal takes effect, and the second is held', () => {
    const driver = new Driver().reset('abcdef').connect('abcdef').leave('abc').change('', 'd');
    expect(driver.used).toBe('ef');
    expect(driver.change('', 'e').used).toBe('fe');
  });

  it('stay removed when their records are deleted after the announcement', () => {
    const driver = new Driver().reset('abcd').connect('abcd').leave('abc').change('', 'abc');
    expect(driver.used).toBe('d');
  });
});

describe('removals after an outage of the registry', () => {
  it('of a single endpoint are held while its connection is ready', () => {
    const driver = new Driver().reset('abc').connect('abc').fail().after(MINUTE).reset('bc');
    expect(driver.used).toBe('bca');
    expect(driver.told).toEqual(['held a registry-returned']);
  });

  it('of an endpoint without a connection take effect at once', () => {
    const driver = new Driver().reset('abc').connect('ab').fail().after(MINUTE).reset('ab');
    expect(driver.used).toBe('ab');
  });

  it('are held for the recovery time after the outage, because leases expire late', () => {
    const driver = new Driver().reset('abcde').connect('abcde').fail().after(MINUTE).reset('abcde');
    expect(driver.after(30_000).change('', 'a').used).toBe('bcdea');
    expect(driver.after(1).change('', 'b').used).toBe('cdea');
  });

  it('of a list that an earlier process saved are held too', () => {
    const driver = new Driver(DEFAULT_REMOVAL_GUARD, 'abc').connect('ab').reset('c');
    expect(driver.used).toBe('cab');
  });
});

/** A guard of three connected endpoints whose list is empty after an outage. */
const wiped = () => new Driver().reset('abc').connect('abc').fail().after(5_000).reset('');

describe('the hold of an endpoint', () => {
  it('ends when the connection ends', () => {
    expect(wiped().connect('bc').look().used).toBe('bc');
  });

  it('ends when the registry lists the endpoint again, under any key', () => {
    const driver = wiped().change('a', '');
    expect([driver.used, driver.held]).toEqual(['abc', 'bc']);
    const change = { put: new Map([['api/x', { address: 'b:1', metadata: null }]]), removed: [] };
    driver.feed({ type: 'update', update: { kind: 'change', change } });
    expect(driver.held).toBe('c');
    expect(driver.told.slice(1)).toEqual(['released a listed', 'released b listed']);
  });

  it('ends after the longest time, also if the list changes meanwhile', () => {
    const driver = wiped();
    for (let minute = 1; minute < 5; minute++) {
      driver.after(MINUTE).change(minute % 2 === 1 ? 'x' : '', minute % 2 === 1 ? '' : 'x');
      expect(driver.lookInMs).toBe((5 - minute) * MINUTE);
    }
    expect(driver.after(MINUTE - 1).look().held).toBe('abc');
    expect(driver.after(1).look().held).toBe('');
    expect(driver.told.at(-1)).toBe('released abc expired');
  });

  it('ends after the longest time, counted from the end of the last outage', () => {
    const driver = wiped();
    expect(driver.lookInMs).toBe(300_000);
    driver.after(299_999).look();
    expect([driver.used, driver.lookInMs]).toEqual(['abc', 1]);
    driver.fail();
    expect(driver.lookInMs).toBeUndefined();
    expect(driver.after(60 * MINUTE).look().used).toBe('abc');
    expect(driver.reset('').lookInMs).toBe(300_000);
    expect(driver.after(300_000).look().used).toBe('');
    expect(driver.told.at(-1)).toBe('released abc expired');
  });
});

describe('the cost of a step of the guard', () => {
  /**
   * Counts the reads of endpoints: a copy of the list, a set of its addresses or a comparison reads each
   * endpoint.
   */
  let looks = 0;
  const counted = (port: number): Endpoint => ({
    get address() {
      looks++;
      return `h:${port}`;
    },
    metadata: null,
  });
  const context = { now: 0, policy: DEFAULT_REMOVAL_GUARD, isReady: () => true };

  /**
   * How many reads one record causes that is added and removed, in a list of `size` of which half is held.
   */
  function looksPerFlap(size: number): number {
    const all = Array.from({ length: size }, (_, port) => [`api/${port}`, counted(port)] as const);
    const guard = new RemovalGuard();
    const step = (update: RegistryUpdate) => guard.step({ type: 'update', update }, context);
    step({ kind: 'reset', snapshot: new Map(all) });
    const half = all.slice(0, size / 2).map(([key]) => key);
    step({ kind: 'change', change: { put: new Map(), removed: half } });
    expect(guard.heldAddresses).toHaveLength(size / 2);
    looks = 0;
    for (let flap = 0; flap < 100; flap++) {
      step({ kind: 'change', change: { put: new Map([['api/x', counted(60_000)]]), removed: [] } });
      step({ kind: 'change', change: { put: new Map(), removed: ['api/x'] } });
    }
    return looks / 100;
  }

  it('does not depend on the length of the list, only on the changed endpoints', () => {
    const few = looksPerFlap(10);
    expect(few).toBeGreaterThan(0);
    expect(looksPerFlap(10_000)).toBe(few);
  });

  it('includes no read of an endpoint if a complete list has the same objects', () => {
    const all = Array.from({ length: 100 }, (_, port) => [`api/${port}`, counted(port)] as const);
    const guard = new RemovalGuard();
    const reset = () =>
      guard.step({ type: 'update', update: { kind: 'reset', snapshot: new Map(all) } }, context);
    reset();
    const { usable } = guard;
    looks = 0;
    reset();
    expect(looks).toBe(0);
    expect(guard.usable).toBe(usable);
  });

  it('is a few reads per endpoint in a deploy that replaces all endpoints one by one', () => {
    const size = 2_000;
    const guard = new RemovalGuard();
    const step = (update: RegistryUpdate) =>
      guard.step({ type: 'update', update }, { ...context, isReady: () => false });
    const list = (from: number) =>
      Array.from(
        { length: size },
        (_, port) => [`api/${from + port}`, counted(from + port)] as const,
      );
    step({ kind: 'reset', snapshot: new Map(list(0)) });
    looks = 0;
    for (const [index, [key, endpoint]] of list(size).entries()) {
      step({ kind: 'change', change: { put: new Map([[key, endpoint]]), removed: [] } });
      const removed = [`api/${index}`];
      const left = index % 2 === 0 ? {} : { left: removed };
      step({ kind: 'change', change: { put: new Map(), removed }, ...left });
    }
    expect(looks).toBeLessThan(20 * size);
    expect(guard.usable).toHaveLength(size);
  });
});

const without = (list: string, gone: string) =>
  [...list].filter((name) => !gone.includes(name)).join('');

it.each([1, 2, 3, 4, 5])('the guard keeps its invariants on a random walk (seed %i)', (seed) => {
  const random = seededRandom(seed);
  const driver = new Driver();
  const names = 'abcdefgh';
  const some = () => [...names].filter(() => random() < 0.5).join('');
  let listed = '';
  let isAway = false;
  for (let step = 0; step < 1_000; step++) {
    driver.after(Math.floor(random() * 20_000)).connect(some());
    const chance = random();
    if (chance < 0.15) driver.fail();
    else if (chance < 0.3) driver.reset((listed = some()));
    else if (chance < 0.4) {
      const [put, removed] = [some(), some()];
      driver.change(put, removed);
      listed = without(listed, removed) + put;
    } else if (chance < 0.5) {
      const left = some();
      driver.leave(left);
      listed = without(listed, left);
      // An endpoint that announced its shutdown is not used, whether it was held or not.
      expect([...left].filter((name) => driver.used.includes(name))).toEqual([]);
    } else driver.look();
    if (chance < 0.15) isAway = true;
    else if (chance < 0.5) isAway = false;
    const used = new Set(driver.used);
    // Clients use every listed endpoint. All others in use are held, and were connected at the last look.
    expect([...listed].filter((name) => !used.has(name))).toEqual([]);
    expect([...driver.held].filter((name) => listed.includes(name))).toEqual([]);
    if (chance >= 0.5) {
      expect([...driver.held].filter((name) => !driver.ready.has(`${name}:1`))).toEqual([]);
    }
    expect(used.size).toBe(driver.used.length);
    // While the registry answers, each hold ends within the longest time.
    if (driver.held === '' || isAway) expect(driver.lookInMs).toBeUndefined();
    else {
      expect(driver.lookInMs).toBeGreaterThanOrEqual(0);
      expect(driver.lookInMs).toBeLessThanOrEqual(300_000);
    }
  }
  driver.connect('');
  expect(driver.look().held).toBe('');
});
