import { describe, expect, it } from 'vitest';
import { stepLease } from '../../../../lib/core/lease/lease-machine.js';
import type { RecordStanding } from '../../../../lib/core/lease/lease-record.js';
import {
  endsWithLease,
  observeRecords,
  type RecordObservation,
  spareRecords,
} from '../../../../lib/core/lease/record-observation.js';
import { seededRandom } from '../../../support/seeded-random.js';
import {
  AWAY,
  BACKOFF,
  contextAt,
  displacing,
  Driver,
  foreign,
  HELD,
  lose,
  removal,
  REMOVED,
  SPARED,
  TTL_MS,
  two,
  WRITTEN,
} from './lease-driver.js';

const STANDINGS = {
  unwritten: { name: 'unwritten' },
  held: { name: 'held', contests: 1, since: 900 },
  missing: { name: 'missing', contests: 1 },
  contested: { name: 'contested', contests: 1, contestAt: 5_000 },
} satisfies Record<string, RecordStanding>;

const OBSERVATIONS = {
  held: HELD,
  written: WRITTEN,
  updated: { name: 'written', displaced: undefined, updated: true },
  displaced: displacing('theirs'),
  foreign: foreign('theirs'),
  'write lost': foreign('theirs', true),
  removed: REMOVED,
  spared: SPARED,
} satisfies Record<string, RecordObservation>;

/**
 * The standing that follows, then the events. The time is 1,000 ms; a random 0.5 makes the first delay of a
 * conflict 200 ms, the second 400 ms.
 */
const TABLE: Record<keyof typeof STANDINGS, Record<keyof typeof OBSERVATIONS, string>> = {
  unwritten: {
    held: 'held 0 since 1000: registered',
    written: 'held 0 since 1000: registered',
    updated: 'held 0 since 1000: registered',
    displaced: 'held 0 since 1000: record-taken-over, registered',
    foreign: 'contested 1 at 1000: conflict',
    'write lost': 'contested 1 at 1000: conflict',
    removed: 'unwritten: deregistered',
    spared: 'unwritten:',
  },
  held: {
    held: 'held 1 since 900:',
    written: 'held 1 since 1000: record-restored',
    updated: 'held 1 since 1000:',
    displaced: 'held 1 since 1000: record-restored',
    foreign: 'contested 2 at 1200: conflict',
    'write lost': 'contested 2 at 1200: conflict',
    removed: 'unwritten: deregistered',
    spared: 'unwritten:',
  },
  missing: {
    held: 'held 1 since 1000: registered',
    written: 'held 1 since 1000: registered',
    updated: 'held 1 since 1000: registered',
    displaced: 'held 1 since 1000: registered',
    foreign: 'contested 2 at 1200: conflict',
    'write lost': 'contested 2 at 1200: conflict',
    removed: 'unwritten: deregistered',
    spared: 'unwritten:',
  },
  contested: {
    held: 'held 1 since 1000: registered',
    written: 'held 1 since 1000: registered',
    updated: 'held 1 since 1000: registered',
    displaced: 'held 1 since 1000: registered',
    foreign: 'contested 1 at 5000:',
    'write lost': 'contested 2 at 1200: conflict',
    removed: 'unwritten: deregistered',
    spared: 'unwritten:',
  },
};

function describeStanding(standing: RecordStanding): string {
  if (standing.name === 'held') return `held ${standing.contests} since ${standing.since}`;
  if (standing.name === 'contested') {
    return `contested ${standing.contests} at ${standing.contestAt}`;
  }
  return standing.name;
}

describe('one observation of a record', () => {
  const lease = { id: 'L', ttlMs: TTL_MS };
  const rows = Object.entries(TABLE).flatMap(([standing, cells]) =>
    Object.entries(cells).map(([found, outcome]) => ({ standing, found, outcome })),
  );

  const observe = (name: string, found: string, wanted: boolean) => {
    const standing = STANDINGS[name as keyof typeof STANDINGS];
    const records = new Map([['api/a', { value: '1', wanted, standing }]]);
    const observations = new Map([['api/a', OBSERVATIONS[found as keyof typeof OBSERVATIONS]]]);
    return observeRecords(records, observations, lease, contextAt(1_000));
  };

  it.each(rows)('$standing, found $found → $outcome', ({ standing, found, outcome }) => {
    const { records, events } = observe(standing, found, true);
    const after = records.get('api/a')?.standing;
    const types = events.map(({ type }) => type).join(', ');
    expect(`${after && describeStanding(after)}: ${types}`.trim()).toBe(outcome);
  });

  it.each(['removed', 'spared'])(
    'drops a record that was to be removed and is observed as %s',
    (found) => {
      for (const standing of Object.keys(STANDINGS)) {
        expect(observe(standing, found, false).records).toEqual(new Map());
      }
    },
  );

  it('keeps a record that the request did not contain', () => {
    const records = new Map([['api/a', { value: '1', wanted: true, standing: STANDINGS.held }]]);
    const observations = new Map([['api/b', REMOVED]]);
    const after = observeRecords(records, observations, lease, contextAt(1_000));
    expect(after).toEqual({ records, events: [] });
  });
});

describe('endsWithLease', () => {
  it.each<[keyof typeof STANDINGS, RecordObservation | undefined, boolean]>([
    ['unwritten', undefined, false],
    ['held', undefined, true],
    ['missing', undefined, true],
    ['contested', undefined, false],
    ['unwritten', REMOVED, true],
    ['contested', REMOVED, true],
    ['held', SPARED, false],
  ])('for a record that is %s and was observed as %o is %s', (name, seen, ends) => {
    const record = { value: '1', wanted: true, standing: STANDINGS[name] };
    expect(endsWithLease(record, seen)).toBe(ends);
  });
});

const spare = (wanted: boolean, found: RecordObservation, spared = new Map()) => {
  const records = new Map([['api/a', { value: '1', wanted, standing: STANDINGS.held }]]);
  const observations = new Map([['api/a', found]]);
  const lease = { ttlMs: TTL_MS };
  return spareRecords({ spared, records }, observations, lease, contextAt(1_000));
};

describe('spareRecords', () => {
  const until = 1_000 + 2 * BACKOFF.capMs + 2 * TTL_MS;

  it('adds a record that was to be removed and that another process holds', () => {
    expect(spare(false, SPARED)).toEqual(new Map([['api/a', { value: '1', until }]]));
    expect(spare(false, REMOVED)).toEqual(new Map());
    expect(spare(true, SPARED)).toEqual(new Map());
  });

  it('drops a spared record whose time is over, and keeps the others', () => {
    const spared = new Map([
      ['api/b', at(1_000)],
      ['api/c', at(1_001)],
    ]);
    expect(spare(false, HELD, spared)).toEqual(new Map([['api/c', at(1_001)]]));
  });
});

const at = (time: number) => ({ value: '2', until: time });

const lost = (): Driver => lose(Driver.registered()).synced({ 'api/a': foreign('x', true) });

describe('in a conflict, the lease machine', () => {
  it('writes its record again at once the first time', () => {
    const driver = lose(Driver.registered());
    expect(driver.newEvents()).toEqual(['conflict']);
    expect(driver.asked).toEqual(['sync claim api/a=1']);
    driver.synced({ 'api/a': displacing('theirs') });
    expect(driver.newEvents()).toEqual(['registered']);
  });

  it('writes its record again with growing delays, while it renews the lease', () => {
    const driver = lose(Driver.registered());
    driver.random = () => 1;
    const waits: number[] = [];
    for (let round = 0; round < 12; round++) {
      // Our write succeeds, and the next keepalive finds the rival's record again.
      lose(driver.synced({ 'api/a': WRITTEN }));
      const lostAt = driver.now;
      for (let request = ''; !request.includes('claim'); request = driver.asked[0] ?? '') {
        if (request !== '') lose(driver);
        expect(driver.delayMs).toBeLessThanOrEqual(3_301);
        driver.due();
      }
      waits.push(Math.round(driver.now - lostAt));
    }
    const capped = Array.from({ length: 5 }, () => 30_000);
    expect(waits).toEqual([400, 800, 1_600, 3_200, 6_400, 12_800, 25_600, ...capped]);
  });

  it('emits conflict when the conflict begins and for each lost attempt, not for each keepalive', () => {
    const driver = lose(Driver.registered());
    driver.synced({ 'api/a': foreign('theirs', true) });
    expect(driver.newEvents()).toEqual(['conflict', 'conflict']);
    const wait = driver.machine.records.get('api/a');
    driver.random = () => 1;
    lose(driver);
    expect(driver.newEvents()).toEqual([]);
    expect(driver.machine.records.get('api/a')).toEqual(wait);
  });

  it('waits between 50 ms and a doubling bound before it writes again', () => {
    const driver = lose(Driver.registered());
    driver.synced({ 'api/a': WRITTEN });
    lose(driver);
    // After one contest the delay is up to 400 ms; the random 0.5 makes it half of that.
    expect(driver.asked).toEqual([]);
    expect(driver.delayMs).toBe(200);
    expect(driver.due().asked).toEqual(['sync! claim api/a=1']);
    driver.synced({ 'api/a': WRITTEN });
    lose(driver);
    expect(driver.delayMs).toBe(400);
  });

  it('forgets the conflict after it has held the record for longer than a rival waits', () => {
    const driver = lose(Driver.registered());
    driver.synced({ 'api/a': WRITTEN });
    const wonAt = driver.now;
    const standing = () => driver.machine.records.get('api/a')?.standing;
    const overAt = wonAt + 2 * BACKOFF.capMs + TTL_MS;
    while (driver.now + 3_000 < overAt) {
      driver.due().synced({ 'api/a': HELD });
      expect(standing()).toMatchObject({ contests: 1 });
    }
    driver.due().synced({ 'api/a': HELD });
    expect(standing()).toMatchObject({ contests: 0 });
    expect(lose(driver).asked).toEqual(['sync claim api/a=1']);
  });

  it('writes as rarely as the backoff allows against a rival that never gives up', () => {
    const random = seededRandom(12);
    const rivals = ['one', 'other'].map((value) => {
      const driver = new Driver().want('api/a', value);
      driver.random = random;
      return { driver, lease: value };
    });
    let record: { lease: string; value: string } | undefined;
    const writes: number[] = [];
    for (const { driver, lease } of rivals) driver.granted(lease);
    const dueAt = new Map(rivals.map(({ lease }) => [lease, 0]));
    while (Math.min(...dueAt.values()) < 3_600_000) {
      const [next] = rivals.toSorted((a, b) => dueAt.get(a.lease)! - dueAt.get(b.lease)!);
      const { driver, lease } = next!;
      driver.now = dueAt.get(lease)!;
      if (driver.machine.phase.name === 'resting') driver.feed({ type: 'timer' });
      for (let asked = driver.asked; asked.length > 0; asked = driver.asked) {
        const claims = asked[0]!.includes('claim');
        const found = record;
        if (found?.lease === lease) driver.synced({ 'api/a': HELD });
        else if (found === undefined || claims) {
          record = { lease, value: lease };
          writes.push(driver.now);
          driver.synced({ 'api/a': found ? displacing(found.value, found.lease) : WRITTEN });
        } else driver.synced({ 'api/a': foreign(found.value) });
      }
      dueAt.set(lease, driver.now + driver.delayMs!);
    }
    const inLast = (fromMs: number) => writes.filter((at) => at >= fromMs).length;
    // Each process waits 15 s on average, and notices with a keepalive that it lost the record.
    expect(inLast(3_600_000 - 600_000)).toBeLessThan(60);
    expect(inLast(3_600_000 - 600_000)).toBeGreaterThan(20);
  });

  it('emits registered when the rival has given the record back', () => {
    const driver = lose(Driver.registered());
    driver.newEvents();
    driver.synced({ 'api/a': HELD });
    expect(driver.newEvents()).toEqual(['registered']);
  });

  it('only verifies its other records', () => {
    const driver = Driver.registered().want('api/b', '2');
    driver.synced({ 'api/a': HELD, 'api/b': WRITTEN }).newEvents();
    driver.due().synced({ 'api/a': foreign('theirs'), 'api/b': HELD });
    expect(driver.asked).toEqual(['sync claim api/a=1 verify api/b=2']);
  });
});

describe('the removal of a record that another process claims too', () => {
  const THEIRS = '{"Op":0,"Addr":"h:1","Metadata":null}';
  const theirs = (value = THEIRS, leaseId = 'R'): RecordObservation => ({
    name: 'foreign',
    value,
    leaseId,
    contested: false,
  });
  /** A driver that won its record back from another process. */
  const contested = (found = theirs()): Driver =>
    Driver.registered().due().synced({ 'api/a': found }).synced({ 'api/a': WRITTEN });
  const plain = { key: 'api/a', value: '1', mode: 'remove' };

  it('names that process as the heir', () => {
    const heir = { leaseId: 'R', value: THEIRS };
    expect(removal(contested())).toEqual([{ ...plain, heir }]);
    expect(removal(contested().due().synced({ 'api/a': HELD }))).toEqual([{ ...plain, heir }]);
    const leaving = two().due().synced({ 'api/a': theirs(), 'api/b': HELD });
    leaving.synced({ 'api/a': WRITTEN, 'api/b': HELD });
    const step = stepLease(
      leaving.machine,
      { type: 'unwant', keys: ['api/a'] },
      contextAt(leaving.now),
    );
    expect(step.effects).toMatchObject([{ type: 'sync', records: [{ ...plain, heir }, {}] }]);
  });

  it('names the process from which the record was taken over, which may be alive', () => {
    const driver = new Driver().want('api/a').granted();
    driver.synced({ 'api/a': displacing(THEIRS) });
    const heir = { leaseId: 'R', value: THEIRS };
    expect(removal(driver)).toEqual([{ ...plain, heir }]);
    const { now } = driver;
    while (driver.now - now < 2 * BACKOFF.capMs + TTL_MS) {
      driver.due().synced({ 'api/a': HELD });
    }
    expect(removal(driver)).toEqual([plain]);
  });

  it('names no heir if there is no rival, or the rival is draining, has no lease or wrote no record', () => {
    const draining = `${THEIRS.slice(0, -1)},"Discovery":{"draining":true}}`;
    expect(removal(Driver.registered())).toEqual([plain]);
    expect(removal(contested(theirs(draining)))).toEqual([plain]);
    expect(removal(contested(theirs(THEIRS, '0')))).toEqual([plain]);
    expect(removal(contested(theirs('no record')))).toEqual([plain]);
  });

  it('names no heir once we have held the record for longer than a rival would wait before it writes', () => {
    const driver = contested();
    const { now } = driver;
    while (driver.now - now < 2 * BACKOFF.capMs + TTL_MS) {
      driver.due().synced({ 'api/a': HELD });
    }
    expect(removal(driver)).toEqual([plain]);
  });
});

describe('if another process holds a record that the caller removes, the lease machine', () => {
  it('emits no deregistered', () => {
    const driver = two()
      .due()
      .synced({ 'api/a': foreign('theirs'), 'api/b': HELD });
    driver.synced({ 'api/a': foreign('theirs', true), 'api/b': HELD }).unwant('api/a');
    driver.synced({ 'api/a': SPARED, 'api/b': HELD });
    expect(driver.newEvents()).toEqual(['conflict', 'conflict']);
    expect([...driver.machine.records.keys()]).toEqual(['api/b']);
  });

  it('sends a removal with each keepalive until that process has forgotten the conflict', () => {
    const driver = two().unwant('api/a').synced({ 'api/a': SPARED, 'api/b': HELD });
    const sparedAt = driver.now;
    while (driver.now - sparedAt < 2 * BACKOFF.capMs + TTL_MS) {
      expect(driver.due().asked).toEqual(['sync! verify api/b=2 remove api/a=1']);
      driver.synced({ 'api/a': REMOVED, 'api/b': HELD });
    }
    for (let keepalive = 0; keepalive < 5; keepalive++) driver.due().synced({ 'api/b': HELD });
    expect(driver.due().asked).toEqual(['sync! verify api/b=2']);
    expect(driver.newEvents()).toEqual([]);
  });

  it('sends the removal also after a partly failed sync, but not under the next lease', () => {
    const driver = two().unwant('api/a');
    driver.feed({ type: 'failed', error: AWAY, observations: new Map([['api/a', SPARED]]) });
    expect(driver.due().asked).toEqual(['sync! verify api/b=2 remove api/a=1']);
    driver.feed({ type: 'lease-gone' }).granted('M').synced({ 'api/b': WRITTEN });
    expect(driver.due().asked).toEqual(['sync! verify api/b=2']);
  });

  it('sends no removal once the caller wants the record again', () => {
    const driver = two().unwant('api/a').synced({ 'api/a': SPARED, 'api/b': HELD });
    driver.want('api/a').synced({ 'api/a': WRITTEN, 'api/b': HELD });
    expect(driver.due().asked).toEqual(['sync! verify api/b=2 verify api/a=1']);
  });

  it('emits no deregistered at the end of the lease, unless the rival had given the record back', () => {
    expect(lost().feed({ type: 'stop' }).feed({ type: 'revoked' }).newEvents()).toEqual([
      'conflict',
      'conflict',
    ]);
    const observations = new Map([['api/a', SPARED]]);
    const unseen = Driver.registered().unwant('api/a').feed({ type: 'revoked', observations });
    expect(unseen.newEvents()).toEqual([]);
    const found = new Map([['api/a', REMOVED]]);
    const back = lost().unwant('api/a').feed({ type: 'revoked', observations: found });
    expect(back.newEvents()).toContain('deregistered');
  });
});
