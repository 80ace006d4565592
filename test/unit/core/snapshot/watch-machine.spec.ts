import { describe, expect, it } from 'vitest';
import type { Random } from '../../../../lib/core/clock.js';
import { DiscoveryError } from '../../../../lib/core/discovery-error.js';
import type { WatchEvent } from '../../../../lib/core/discovery-event.js';
import {
  INITIAL_WATCH_MACHINE,
  type RegistryPosition,
  stepWatch,
  type WatchContext,
  type WatchEffect,
  type WatchInput,
  type WatchMachine,
} from '../../../../lib/core/snapshot/watch-machine.js';
import { seededRandom } from '../../../support/seeded-random.js';

const AWAY = new DiscoveryError('REGISTRY_UNAVAILABLE', 'away');
const UNCONFIRMED = new DiscoveryError('REGISTRY_UNAVAILABLE', 'not confirmed');
const DISAGREED = new DiscoveryError('REGISTRY_UNAVAILABLE', 'disagree');
const at = (revision: number, clusterId = 'c'): RegistryPosition => ({
  revision: BigInt(revision),
  clusterId,
});

function contextAt(now: number, random: Random = () => 0.5): WatchContext {
  return {
    now,
    prefix: 'api/',
    random,
    backoff: { baseMs: 200, capMs: 30_000, floorMs: 50 },
    createTimeoutMs: 5_000,
    relistIntervalMs: 60_000,
    createTimedOut: () => UNCONFIRMED,
    disagreed: () => DISAGREED,
  };
}

const LISTED = { position: at(7), synced: undefined };
const PHASES = {
  idle: INITIAL_WATCH_MACHINE,
  listing: { ...INITIAL_WATCH_MACHINE, phase: { name: 'listing', attempt: 0 } },
  opening: { ...LISTED, phase: { name: 'opening', attempt: 0, revision: 7n } },
  watching: {
    ...LISTED,
    synced: true,
    phase: { name: 'watching', attempt: 0, relistAt: 60_000, since: 0 },
  },
  pausing: {
    ...LISTED,
    synced: true,
    phase: { name: 'pausing', attempt: 0, relistAt: 60_000, since: 0 },
  },
  'backing-off': { ...LISTED, synced: false, phase: { name: 'backing-off', attempt: 1 } },
  stopped: { ...LISTED, synced: true, phase: { name: 'stopped' } },
} satisfies Record<string, WatchMachine>;

const INPUTS = {
  start: { type: 'start' },
  stop: { type: 'stop' },
  listed: { type: 'listed', position: at(8) },
  created: { type: 'created', position: at(8) },
  failed: { type: 'failed', error: AWAY },
  flooded: { type: 'flooded', revision: 9n },
  timer: { type: 'timer' },
  'registry-back': { type: 'registry-back' },
  'registry-was-away': { type: 'registry-was-away' },
} satisfies Record<string, WatchInput>;

function summary(effect: WatchEffect): string {
  switch (effect.type) {
    case 'emit':
      return effect.event.type;
    case 'timer':
      return `timer ${effect.delayMs}`;
    case 'open':
      return `open ${effect.fromRevision}`;
    default:
      return effect.type;
  }
}

const IGNORED = '=';
const TABLE: Record<keyof typeof PHASES, Record<keyof typeof INPUTS, string>> = {
  idle: {
    start: 'listing: close, list',
    stop: 'stopped: close',
    listed: IGNORED,
    created: IGNORED,
    failed: IGNORED,
    flooded: IGNORED,
    timer: IGNORED,
    'registry-back': IGNORED,
    'registry-was-away': IGNORED,
  },
  listing: {
    start: IGNORED,
    stop: 'stopped: close',
    listed: 'opening: open 9, timer 5000',
    created: IGNORED,
    failed: 'backing-off: close, timer 100, watch-interrupted',
    flooded: IGNORED,
    timer: IGNORED,
    'registry-back': IGNORED,
    'registry-was-away': IGNORED,
  },
  opening: {
    start: IGNORED,
    stop: 'stopped: close',
    listed: IGNORED,
    created: 'watching: timer 60000, watch-synced',
    failed: 'backing-off: close, timer 100, watch-interrupted',
    flooded: IGNORED,
    timer: 'backing-off: close, timer 100, watch-interrupted',
    'registry-back': IGNORED,
    'registry-was-away': IGNORED,
  },
  watching: {
    start: IGNORED,
    stop: 'stopped: close',
    listed: IGNORED,
    created: IGNORED,
    failed: 'backing-off: close, timer 100, watch-interrupted',
    flooded: 'pausing: close, timer 200',
    timer: 'listing: close, list',
    'registry-back': IGNORED,
    'registry-was-away': 'watching: timer 15000',
  },
  pausing: {
    start: IGNORED,
    stop: 'stopped: close',
    listed: IGNORED,
    created: IGNORED,
    failed: IGNORED,
    flooded: IGNORED,
    timer: 'opening: open 8, timer 5000',
    'registry-back': IGNORED,
    'registry-was-away': 'pausing: ',
  },
  'backing-off': {
    start: IGNORED,
    stop: 'stopped: close',
    listed: IGNORED,
    created: IGNORED,
    failed: IGNORED,
    flooded: IGNORED,
    timer: 'listing: close, list',
    'registry-back': 'listing: close, list',
    'registry-was-away': 'listing: close, list',
  },
  stopped: {
    start: IGNORED,
    stop: IGNORED,
    listed: IGNORED,
    created: IGNORED,
    failed: IGNORED,
    flooded: IGNORED,
    timer: IGNORED,
    'registry-back': IGNORED,
    'registry-was-away': IGNORED,
  },
};

describe('one step of the watch machine', () => {
  const rows = Object.entries(TABLE).flatMap(([phase, cells]) =>
    Object.entries(cells).map(([input, outcome]) => ({ phase, input, outcome })),
  );

  it.each(rows)('$phase, $input → $outcome', ({ phase, input, outcome }) => {
    const before: WatchMachine = PHASES[phase as keyof typeof PHASES];
    const step = stepWatch(before, INPUTS[input as keyof typeof INPUTS], contextAt(1_000));
    if (outcome === IGNORED) {
      expect(step.effects).toEqual([]);
      expect(step.machine).toEqual(before);
      return;
    }
    const effects = step.effects.map(summary).join(', ');
    expect(`${step.machine.phase.name}: ${effects}`).toBe(outcome);
  });
});

/** Drives one machine and records its requests and events. */
class Driver {
  machine: WatchMachine = INITIAL_WATCH_MACHINE;
  now = 0;
  random: Random = () => 0.5;
  told: WatchEvent[] = [];
  asked: string[] = [];
  delayMs: number | undefined;

  feed(input: WatchInput): this {
    const step = stepWatch(this.machine, input, contextAt(this.now, this.random));
    this.machine = step.machine;
    this.asked = [];
    for (const effect of step.effects) {
      if (effect.type === 'emit') this.told.push(effect.event);
      else if (effect.type === 'timer') this.delayMs = effect.delayMs;
      else this.asked.push(summary(effect));
    }
    return this;
  }

  listed(position: RegistryPosition): this {
    return this.feed({ type: 'listed', position });
  }

  created(position: RegistryPosition): this {
    return this.feed({ type: 'created', position });
  }

  failed(): this {
    return this.feed({ type: 'failed', error: AWAY });
  }

  due(): this {
    this.now += this.delayMs ?? 0;
    return this.feed({ type: 'timer' });
  }

  news(): string[] {
    return this.told.splice(0).map(({ type }) => type);
  }

  static watching(): Driver {
    const driver = new Driver().feed({ type: 'start' }).listed(at(7)).created(at(7));
    driver.news();
    return driver;
  }
}

/** The delay after a watch that lived this long, and had failed five times before. */
function delayAfterLife(lifeMs: number): number | undefined {
  const driver = Driver.watching();
  for (let attempt = 0; attempt < 5; attempt++) driver.failed().due();
  driver.listed(at(9)).created(at(9));
  driver.now += lifeMs;
  return driver.failed().delayMs;
}

describe('the watch machine', () => {
  it('lists, then watches from the revision after the list', () => {
    const driver = new Driver().feed({ type: 'start' });
    expect(driver.asked).toEqual(['close', 'list']);
    expect(driver.listed(at(41)).asked).toEqual(['open 42']);
    driver.created(at(43));
    expect(driver.told).toEqual([{ type: 'watch-synced', prefix: 'api/', revision: '41' }]);
  });

  it.each([
    [0, 30_000],
    [0.5, 60_000],
    [0.999, 89_940],
  ])('lists again after a minute, ±50 %% (random %d → %i ms)', (draw, delayMs) => {
    const driver = new Driver();
    driver.random = () => draw;
    driver.feed({ type: 'start' }).listed(at(7)).created(at(7));
    expect(driver.delayMs).toBeCloseTo(delayMs, 6);
    expect(driver.due().asked).toEqual(['close', 'list']);
  });

  it('emits nothing if the periodic list and the next watch succeed', () => {
    const driver = Driver.watching();
    for (let cycle = 0; cycle < 20; cycle++) driver.due().listed(at(9)).created(at(9));
    expect(driver.news()).toEqual([]);
  });

  it('closes a watch that is not confirmed in time, and lists again', () => {
    const driver = new Driver().feed({ type: 'start' }).listed(at(7));
    expect(driver.delayMs).toBe(5_000);
    expect(driver.due().asked).toEqual(['close']);
    expect(driver.told).toEqual([
      { type: 'watch-interrupted', prefix: 'api/', error: UNCONFIRMED, retryInMs: 100 },
    ]);
    expect(driver.due().asked).toEqual(['close', 'list']);
  });

  it('pauses in a flood, and continues after the last processed change, without an event', () => {
    const driver = Driver.watching().feed({ type: 'flooded', revision: 40n });
    expect(driver.asked).toEqual(['close']);
    expect(driver.due().asked).toEqual(['open 41']);
    expect(driver.delayMs).toBe(5_000);
    driver.created(at(55));
    expect(driver.machine.phase.name).toBe('watching');
    expect(driver.news()).toEqual([]);
  });

  it.each([
    [0, 100],
    [0.999, 299.8],
  ])('pauses for 200 ms, ±50 %% (random %d → %d ms)', (draw, delayMs) => {
    const driver = Driver.watching();
    driver.random = () => draw;
    expect(driver.feed({ type: 'flooded', revision: 40n }).delayMs).toBeCloseTo(delayMs, 6);
  });

  it('lists at a random time within 30 s if the registry was away during a pause', () => {
    const driver = Driver.watching().feed({ type: 'flooded', revision: 40n });
    driver.random = () => 0.5;
    driver.feed({ type: 'registry-was-away' });
    expect(driver.machine.phase).toMatchObject({ name: 'pausing', relistAt: 15_000 });
  });

  it('lists once the periodic list is due, also after many pauses', () => {
    const driver = Driver.watching();
    let pauses = 0;
    for (; driver.machine.phase.name !== 'listing' && pauses < 1_000; pauses++) {
      driver.feed({ type: 'flooded', revision: BigInt(8 + pauses) }).due();
      if (driver.machine.phase.name === 'opening') driver.created(at(9 + pauses));
    }
    expect(driver.now).toBeGreaterThan(59_000);
    expect(driver.now).toBeLessThan(60_500);
    expect(pauses).toBeGreaterThan(200);
  });

  it('lists after a pause in which etcd was wiped or replaced by another cluster', () => {
    for (const wiped of [at(39), at(99, 'another')]) {
      const driver = Driver.watching().feed({ type: 'flooded', revision: 40n }).due();
      expect(driver.created(wiped).news()).toEqual(['watch-interrupted']);
      expect(driver.due().asked).toEqual(['close', 'list']);
    }
  });

  it.each([
    ['in a pause', false],
    ['at the end of a pause', true],
  ])(
    'lists within 30 s if etcd was away %s, because another history may have reached its revision',
    (_, isOpening) => {
      const driver = Driver.watching();
      driver.feed({ type: 'flooded', revision: 8n });
      if (isOpening) driver.due();
      driver.feed({ type: 'registry-was-away' });
      if (!isOpening) driver.due();
      const before = driver.now;
      driver.created(at(9));
      driver.due();
      expect(driver.machine.phase.name).toBe('listing');
      expect(driver.now - before).toBeLessThanOrEqual(30_000);
    },
  );

  it('starts the backoff anew after a watch that lived 10 s, pauses included', () => {
    const driver = Driver.watching();
    for (let attempt = 0; attempt < 5; attempt++) driver.failed().due();
    driver.listed(at(9)).created(at(9));
    driver.now += 6_000;
    driver.feed({ type: 'flooded', revision: 40n }).due().created(at(41));
    driver.now += 6_000;
    expect(driver.failed().delayMs).toBe(100);
  });

  it('never resumes after a failure, in any phase: it lists', () => {
    const broken = Driver.watching().failed().due();
    expect(broken.asked).toEqual(['close', 'list']);
    const unopened = new Driver().feed({ type: 'start' }).listed(at(7)).failed().due();
    expect(unopened.asked).toEqual(['close', 'list']);
    const unlisted = new Driver().feed({ type: 'start' }).failed().due();
    expect(unlisted.asked).toEqual(['close', 'list']);
  });

  it('emits watch-interrupted once and watch-synced once per interruption', () => {
    const driver = Driver.watching();
    for (let attempt = 0; attempt < 50; attempt++) driver.failed().due();
    driver.listed(at(9)).created(at(9));
    expect(driver.news()).toEqual(['watch-interrupted', 'watch-synced']);
  });

  it('says in watch-interrupted whether there was a list before', () => {
    const unlisted = new Driver().feed({ type: 'start' }).failed();
    const event = { type: 'watch-interrupted', prefix: 'api/', error: AWAY, retryInMs: 100 };
    expect(unlisted.told).toEqual([{ ...event, beforeFirstList: true }]);
    expect(new Driver().feed({ type: 'start' }).listed(at(7)).failed().told).toEqual([event]);
    expect(Driver.watching().failed().told).toEqual([event]);
  });

  it('retries without end, at most 30 s apart', () => {
    const driver = Driver.watching();
    driver.random = () => 1;
    const delays: number[] = [];
    for (let attempt = 0; attempt < 300; attempt++) {
      driver.failed();
      delays.push(driver.delayMs ?? Number.NaN);
      expect(driver.due().asked).toEqual(['close', 'list']);
    }
    expect(delays.slice(0, 9)).toEqual([
      200, 400, 800, 1_600, 3_200, 6_400, 12_800, 25_600, 30_000,
    ]);
    expect(Math.max(...delays)).toBe(30_000);
  });

  it('goes on with its backoff if the list succeeds and the watch then fails', () => {
    const driver = Driver.watching();
    driver.random = () => 1;
    const delays: number[] = [];
    for (let attempt = 0; attempt < 4; attempt++) {
      delays.push(driver.failed().delayMs ?? Number.NaN);
      driver.due().listed(at(9));
    }
    expect(delays).toEqual([200, 400, 800, 1_600]);
  });

  it('starts the backoff anew after a watch that lived 10 s, but not after a shorter one', () => {
    expect(delayAfterLife(10_000)).toBe(100);
    expect(delayAfterLife(9_999)).not.toBe(100);
  });

  it('repeats the last delay if the watch lived as long as the upper bound of that delay, 1.6 s; otherwise doubles the delay', () => {
    expect(delayAfterLife(1_600)).toBe(800);
    expect(delayAfterLife(1_599)).toBe(1_600);
  });

  it('retries within 3.2 s after a watch that was confirmed at the end of a long outage', () => {
    const driver = Driver.watching();
    driver.random = () => 1;
    for (let attempt = 0; attempt < 20; attempt++) driver.failed().due();
    driver.listed(at(9)).created(at(9));
    expect(driver.failed().delayMs).toBe(3_200);
  });

  it('retries within 3.2 s while every watch ends after 4 s', () => {
    const driver = Driver.watching();
    driver.random = () => 1;
    const delays: number[] = [];
    for (let attempt = 0; attempt < 12; attempt++) {
      driver.now += 4_000;
      delays.push(driver.failed().delayMs ?? Number.NaN);
      driver.due().listed(at(9)).created(at(9));
    }
    expect(Math.max(...delays)).toBeLessThanOrEqual(3_200);
  });

  it('retries soon if the first attempt after a long outage fails', () => {
    const driver = Driver.watching();
    driver.random = () => 1;
    for (let attempt = 0; attempt < 20; attempt++) driver.failed().due();
    driver.failed().feed({ type: 'registry-was-away' });
    expect(driver.listed(at(9)).failed().delayMs).toBe(3_200);
    // The delay is as short if the outage ended during a list.
    for (let attempt = 0; attempt < 20; attempt++) driver.due().failed();
    driver.due().feed({ type: 'registry-was-away' });
    expect(driver.listed(at(9)).failed().delayMs).toBe(3_200);
  });

  it('lists once within 30 s after an outage during a confirmed watch, also after several outages', () => {
    const driver = Driver.watching();
    driver.random = () => 1;
    expect(driver.feed({ type: 'registry-was-away' }).delayMs).toBe(30_000);
    driver.random = () => 0;
    expect(driver.feed({ type: 'registry-was-away' }).asked).toEqual([]);
    expect(driver.delayMs).toBe(30_000);
    expect(driver.due().asked).toEqual(['close', 'list']);
  });

  it('ends its backoff when the registry is back', () => {
    const driver = Driver.watching().failed();
    expect(driver.feed({ type: 'registry-back' }).asked).toEqual(['close', 'list']);
  });

  it.each([
    ['a lower revision', at(6)],
    ['another cluster', at(100, 'other')],
  ])('emits registry-reset once for %s in a list, and continues', (_, position) => {
    const driver = Driver.watching().due().listed(position);
    expect(driver.told).toEqual([{ type: 'registry-reset', prefix: 'api/' }]);
    expect(driver.asked).toEqual([`open ${position.revision + 1n}`]);
    driver.created(position).due().listed(position).created(position);
    expect(driver.news()).toEqual(['registry-reset']);
  });

  it('emits no registry-reset if the revision is the same or higher', () => {
    const driver = Driver.watching().due().listed(at(7));
    driver.created(at(7)).due().listed(at(900)).created(at(900));
    expect(driver.news()).toEqual([]);
  });

  it.each([
    ['a lower revision', at(6)],
    ['another cluster', at(8, 'other')],
  ])(
    'if the confirmation has %s, lists again after a delay, because the events would never arrive',
    (_, position) => {
      const driver = new Driver().feed({ type: 'start' }).listed(at(7)).created(position);
      expect(driver.asked).toEqual(['close']);
      expect(driver.told).toEqual([
        { type: 'watch-interrupted', prefix: 'api/', error: DISAGREED, retryInMs: 100 },
      ]);
      driver.news();
      driver.due().listed(position);
      expect(driver.news()).toEqual(['registry-reset']);
    },
  );

  it('retries ever more rarely while list and watch never agree, and emits one event', () => {
    const driver = new Driver().feed({ type: 'start' });
    for (let round = 0; round < 20; round++) driver.listed(at(7)).created(at(8, 'other')).due();
    expect(driver.now).toBeGreaterThan(100_000);
    expect(driver.news()).toEqual(['watch-interrupted']);
  });

  it('accepts a confirmation without a cluster id, as from a proxy', () => {
    const driver = new Driver().feed({ type: 'start' }).listed(at(7)).created(at(8, '0'));
    expect(driver.machine.phase.name).toBe('watching');
    expect(driver.news()).toEqual(['watch-synced']);
  });

  it('closes its stream at stop and stays stopped', () => {
    const driver = Driver.watching().feed({ type: 'stop' });
    expect(driver.asked).toEqual(['close']);
    for (const input of Object.values(INPUTS)) {
      expect(driver.feed(input).asked).toEqual([]);
      expect(driver.machine.phase.name).toBe('stopped');
    }
    expect(driver.news()).toEqual([]);
  });
});

describe('the watch machine in a random walk', () => {
  it.each([1, 2, 3, 4, 5])('always returns to agreement with the registry (seed %i)', (seed) => {
    const random = seededRandom(seed);
    const visited = new Set<string>();
    let machine: WatchMachine = INITIAL_WATCH_MACHINE;
    let now = 0;
    let listing = false;
    let stream: bigint | undefined;
    let timerAt: number | undefined;
    let [revision, clusterId] = [10, 'c1'];

    const feed = (input: WatchInput): void => {
      const step = stepWatch(machine, input, contextAt(now, random));
      machine = step.machine;
      for (const effect of step.effects) {
        if (effect.type === 'list') {
          if (listing) throw new Error('two lists in flight');
          listing = true;
        } else if (effect.type === 'open') stream = effect.fromRevision;
        else if (effect.type === 'close') stream = undefined;
        else if (effect.type === 'timer') timerAt = now + effect.delayMs;
      }
      const { name } = machine.phase;
      visited.add(name);
      const waits = timerAt !== undefined && timerAt - now <= 90_000;
      const alive = {
        idle: true,
        stopped: true,
        listing: listing && stream === undefined,
        opening: stream !== undefined && waits && !listing,
        watching: stream !== undefined && waits && !listing,
        pausing: stream === undefined && waits && !listing,
        'backing-off': stream === undefined && waits && !listing,
      }[name];
      if (!alive) throw new Error(`stuck in ${name} at ${now}`);
    };
    const fire = (): void => {
      if (timerAt === undefined) return;
      now = Math.max(now, timerAt);
      timerAt = undefined;
      feed({ type: 'timer' });
    };
    const answer = (): void => {
      const position = at(revision, clusterId);
      if (listing) {
        listing = false;
        feed({ type: 'listed', position });
      } else if (machine.phase.name === 'opening') feed({ type: 'created', position });
    };
    const fail = (): void => {
      if (!listing && stream === undefined) return;
      listing = false;
      feed({ type: 'failed', error: AWAY });
    };

    const flood = (): void => {
      const { position = at(1) } = machine;
      // A watch on another history gets no events.
      if (position.clusterId !== clusterId || position.revision > BigInt(revision)) return;
      feed({ type: 'flooded', revision: BigInt(revision) });
    };

    // A confirmed watch notices another history with its next periodic list at the latest.
    const isInStep = (): boolean =>
      machine.phase.name === 'watching' &&
      machine.position?.clusterId === clusterId &&
      machine.position.revision <= BigInt(revision);

    feed({ type: 'start' });
    for (let step = 0; step < 10_000; step++) {
      const chance = random();
      if (chance < 0.4) answer();
      else if (chance < 0.6) fail();
      else if (chance < 0.75) fire();
      else if (chance < 0.78) feed({ type: 'registry-back' });
      else if (chance < 0.8) flood();
      else if (chance < 0.9) revision += Math.floor(random() * 5);
      else if (chance < 0.92) revision = Math.floor(random() * 5) + 1;
      else if (chance < 0.94) clusterId = `c${Math.floor(random() * 3)}`;
      else now += random() * 20_000;

      if (step % 1_000 !== 999) continue;
      for (let calm = 0; calm < 20 && !isInStep(); calm++) {
        if (listing || machine.phase.name === 'opening') answer();
        else fire();
      }
      expect(machine.phase.name).toBe('watching');
      // The machine's list is from the current history of the registry, and the stream continues after it.
      expect(machine.position?.clusterId).toBe(clusterId);
      expect(machine.position?.revision).toBeLessThanOrEqual(BigInt(revision));
      expect(stream).toBe((machine.position?.revision ?? 0n) + 1n);
    }
    expect([...visited].sort()).toEqual([
      'backing-off',
      'listing',
      'opening',
      'pausing',
      'watching',
    ]);
  });
});
