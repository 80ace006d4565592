import { describe, expect, it } from 'vitest';
import type { Candidate } from '../../../../lib/balance/candidate.js';
import {
  ConsistentHash,
  consistentHash,
  type ConsistentHashOptions,
} from '../../../../lib/balance/policies/consistent-hash.js';
import { finalMix, murmurHash } from '../../../../lib/balance/policies/murmur-hash.js';
import { Ring } from '../../../../lib/balance/policies/ring.js';
import type { PickRequest } from '../../../../lib/balance/picker.js';
import { numberRule } from '../../../../lib/balance/policy-definition.js';
import type { EndpointLoad } from '../../../../lib/balance/load/endpoint-load.js';
import { FleetLoad } from '../../../../lib/balance/load/fleet-load.js';
import { seededRandom } from '../../../support/seeded-random.js';
import { candidates, countPicks, PLAIN, policyOf, poolOf, requestWith } from '../fixtures.js';

const DEFAULTS = policyOf('consistent_hash', {
  hashKey: (request: PickRequest) => request.header('user'),
}).options as ConsistentHashOptions;
const requestOf = (key: number) => requestWith({ user: `user-${key}` });

function picker(
  list: readonly Candidate[],
  weights?: readonly number[],
  options: Partial<ConsistentHashOptions> = {},
): ConsistentHash<Candidate> {
  return new ConsistentHash(poolOf(list, weights), { ...DEFAULTS, ...options }, seededRandom(9));
}

/** A picker whose random place is always the same. */
const stuck = (list: readonly Candidate[], options: Partial<ConsistentHashOptions> = {}) =>
  new ConsistentHash(poolOf(list), { ...DEFAULTS, ...options }, () => 0.5);

const fill = (list: readonly Candidate[], calls: number): void => {
  for (const { load } of list) for (let call = 0; call < calls; call++) load.started(0);
};

it.each([
  ['loadFactor', [1.001, 1.25, Infinity], [1, -Infinity]],
  ['freeInFlight', [0, 4, 1_000_000], [-1, 0.5, 1_000_001]],
] as const)('the option %s of consistent_hash may be %j, and not %j', (name, right, wrong) => {
  const rule = numberRule(consistentHash.options[name]);
  expect(right.map((value) => rule.read(value))).toEqual(right);
  expect(wrong.filter((value) => rule.read(value) !== undefined)).toEqual([]);
});

describe('ConsistentHash', () => {
  it('a key goes to its owner on the ring, by the weights of the pool', () => {
    const list = candidates(20);
    const weights = list.map((_, at) => (at % 4) + 1);
    const hash = picker(list, weights);
    const ring = new Ring(
      list.map((one) => one.hash),
      Float64Array.from(weights),
    );
    for (let key = 0; key < 1_000; key++) {
      const owner = ring.owner(ring.locate(murmurHash(`user-${key}`)));
      expect(hash.pick(requestOf(key), 0)).toBe(list[owner]);
    }
  });

  it('a hot key stays on one endpoint for the free calls, then each endpoint is bounded at 1.25 times the mean', () => {
    const fleet = new FleetLoad();
    const list = candidates(10, fleet);
    const hash = picker(list, undefined, {});
    const home = hash.pick(requestOf(1), 0);
    for (let call = 0; call < 4; call++) {
      const one = hash.pick(requestOf(1), 0);
      expect(one).toBe(home);
      one.load.started(0);
    }
    for (let call = 4; call < 1_000; call++) {
      const one = hash.pick(requestOf(1), 0);
      one.load.started(0);
      const bound = Math.max(4, Math.ceil(1.25 * (fleet.inFlight / 10)));
      expect(one.load.inFlight).toBeLessThanOrEqual(bound);
    }
    expect(fleet.inFlight).toBe(1_000);
    expect(home.load.inFlight).toBe(125);
  });

  it('the picker finds room for a key that fills three quarters of a large fleet, without asking all full endpoints', () => {
    let asked = 0;
    const list = candidates(2_000).map((one) => {
      const load = Object.create(one.load) as EndpointLoad;
      let inFlight = 0;
      Object.defineProperty(load, 'inFlight', {
        get: () => {
          asked++;
          return inFlight;
        },
        set: (calls: number) => {
          inFlight = calls;
        },
      });
      return { ...one, load };
    });
    const hash = picker(list, undefined, { freeInFlight: 8 });
    for (let call = 0; call < 12_000; call++) hash.pick(requestOf(1), 0).load.started(0);
    asked = 0;
    for (let call = 0; call < 1_000; call++) hash.pick(requestOf(1), 0);
    // Each call asks the 8 endpoints that its key names, and then 4 on average.
    expect(asked / 1_000).toBeLessThan(14);
  });

  it('the picker bounds load by the calls of its own endpoints: canaries and removed endpoints do not raise the bound', () => {
    const fleet = new FleetLoad();
    const [stranger, ...list] = candidates(11, fleet);
    for (let call = 0; call < 1_000; call++) stranger!.load.started(0);
    const hash = picker(list);
    const home = hash.pick(requestOf(1), 0);
    for (let call = 0; call < 100; call++) hash.pick(requestOf(1), 0).load.started(0);
    expect(home.load.inFlight).toBe(13);
  });

  it('a new picker counts calls that were in flight before it', () => {
    const list = candidates(10);
    const before = picker(list);
    const home = before.pick(requestOf(1), 0);
    for (let call = 0; call < 400; call++) before.pick(requestOf(1), 0).load.started(0);
    expect(home.load.inFlight).toBe(50);
    const after = picker(list.slice(0, 10));
    for (let call = 0; call < 400; call++) after.pick(requestOf(1), 0).load.started(0);
    expect(home.load.inFlight).toBe(100);
    for (const { load } of list) while (load.inFlight > 0) load.ended(1, 0, 'success');
    for (let call = 0; call < 100; call++) after.pick(requestOf(1), 0).load.started(0);
    expect(home.load.inFlight).toBe(13);
  });

  it('the picker bounds each endpoint by its weight', () => {
    const fleet = new FleetLoad();
    const list = candidates(4, fleet);
    const hash = picker(list, [1, 1, 1, 3]);
    for (let call = 0; call < 600; call++) hash.pick(requestOf(1), 0).load.started(0);
    const inFlight = list.map(({ load }) => load.inFlight);
    expect(inFlight[3]).toBeLessThanOrEqual(375);
    for (const one of inFlight.slice(0, 3)) expect(one).toBeLessThanOrEqual(125);
    expect(inFlight[3]).toBeGreaterThan(600 - 3 * 125 - 1);
  });

  it('calls for which an endpoint has no room go to the other endpoints by weight', () => {
    const fleet = new FleetLoad();
    const list = candidates(11, fleet);
    const hash = picker(list, [...list.slice(1).map(() => 1), 10]);
    const keys = Array.from({ length: 20_000 }, (_, key) => requestOf(key));
    const full = list[0]!;
    const own = keys.filter((key) => hash.pick(key, 0) === full);
    for (let call = 0; call < 4; call++) full.load.started(0);
    const heavy = own.filter((key) => hash.pick(key, 0) === list[10]).length;
    expect(own.length).toBeGreaterThan(500);
    // The heavy endpoint weighs 10 of 19. ε: 4 standard deviations of the ring and of 1,000 keys.
    expect(Math.abs(heavy / own.length - 10 / 19)).toBeLessThan(0.14);
  });

  it('a key of a full endpoint always goes to the same next endpoint', () => {
    const fleet = new FleetLoad();
    const list = candidates(10, fleet);
    const hash = picker(list, undefined, {});
    const home = hash.pick(requestOf(5), 0);
    for (let call = 0; call < 4; call++) home.load.started(0);
    const next = hash.pick(requestOf(5), 0);
    expect(next).not.toBe(home);
    for (let call = 0; call < 20; call++) expect(hash.pick(requestOf(5), 0)).toBe(next);
    for (let call = 0; call < 4; call++) home.load.ended(1, 0, 'success');
    expect(hash.pick(requestOf(5), 0)).toBe(home);
  });

  describe('the walk around the ring, if hashes of the key and random places find no room,', () => {
    it('finds the only endpoint that has room, for every key', () => {
      const list = candidates(20);
      const hash = stuck(list, { loadFactor: 1.01, freeInFlight: 0 });
      const free = list[13]!;
      fill(
        list.filter((one) => one !== free),
        10,
      );
      for (let key = 0; key < 200; key++) expect(hash.pick(requestOf(key), 0)).toBe(free);
    });

    it('begins after 32 random places', () => {
      const list = candidates(20);
      let drawn = 0;
      const random = () => (drawn++, 0.5);
      const options = { ...DEFAULTS, loadFactor: 1.01, freeInFlight: 0 };
      const hash = new ConsistentHash(poolOf(list), options, random);
      fill(list.slice(1), 10);
      const draws = new Set<number>();
      for (let key = 0; key < 200; key++) {
        drawn = 0;
        expect(hash.pick(requestOf(key), 0)).toBe(list[0]);
        draws.add(drawn);
      }
      // The calls that draw none find the endpoint by a hash of their key.
      expect([...draws].sort((one, other) => one - other)).toEqual([0, 32]);
    });

    it("takes the first endpoint with room behind the key's own place", () => {
      const list = candidates(20);
      const hash = stuck(list, { loadFactor: 1.01, freeInFlight: 0 });
      const free = [list[4]!, list[13]!];
      fill(
        list.filter((one) => !free.includes(one)),
        10,
      );
      const ring = new Ring(
        list.map((one) => one.hash),
        Float64Array.from(list, () => 1),
      );
      const behind = (key: number): Candidate => {
        let place = ring.locate(murmurHash(`user-${key}`));
        while (!free.includes(list[ring.owner(place)]!)) place++;
        return list[ring.owner(place)]!;
      };
      let walks = 0;
      for (let key = 0; key < 400; key++) {
        const jumps = Array.from({ length: 8 }, (_, jump) =>
          ring.owner(ring.locate(finalMix(murmurHash(`user-${key}`) ^ jump))),
        );
        const random = ring.owner(ring.locate(finalMix(0.5 * 2 ** 32)));
        const home = ring.owner(ring.locate(murmurHash(`user-${key}`)));
        if ([home, random, ...jumps].some((place) => free.includes(list[place]!))) continue;
        walks++;
        expect(hash.pick(requestOf(key), 0)).toBe(behind(key));
      }
      expect(walks).toBeGreaterThan(50);
    });

    it("ends with the key's own endpoint if no endpoint has room", () => {
      const full = candidates(5).map((one) => {
        const load = Object.create(one.load) as EndpointLoad;
        // These calls are not in the sum of the pool.
        Object.defineProperty(load, 'inFlight', { get: () => 100 });
        return { ...one, load: Object.assign(load, { countIn: () => {} }) };
      });
      const hash = stuck(full);
      const homes = new Set<string>();
      for (let key = 0; key < 100; key++) {
        const home = stuck(full, { loadFactor: Infinity }).pick(requestOf(key), 0);
        expect(hash.pick(requestOf(key), 0)).toBe(home);
        homes.add(home.endpoint.address);
      }
      expect(homes.size).toBe(5);
    });
  });

  it('without a bound a key never leaves its endpoint', () => {
    const fleet = new FleetLoad();
    const hash = picker(candidates(10, fleet), undefined, { loadFactor: Infinity });
    const home = hash.pick(requestOf(1), 0);
    for (let call = 0; call < 1_000; call++) {
      home.load.started(0);
      expect(hash.pick(requestOf(1), 0)).toBe(home);
    }
  });

  it('further attempts of a call go to one endpoint after the other, each time in the same order', () => {
    const list = candidates(5);
    const hash = picker(list);
    const attempts = (key: number): Candidate[] => {
      const tried = [hash.pick(requestOf(key), 0)];
      for (;;) {
        const next = hash.pickOther(requestOf(key), 0, (one) => !tried.includes(one));
        if (next === undefined) return tried;
        tried.push(next);
      }
    };
    for (let key = 0; key < 100; key++) {
      expect(new Set(attempts(key)).size).toBe(5);
      expect(attempts(key)).toEqual(attempts(key));
    }
    // The second attempts of calls whose endpoint fails are spread over all others.
    const seconds = Array.from({ length: 1_000 }, (_, key) => attempts(key))
      .filter(([home]) => home === list[0])
      .map(([, second]) => second);
    expect(new Set(seconds).size).toBe(4);
  });

  it("a further attempt begins with the key's next hash, also if the first endpoint could be tried again", () => {
    const list = candidates(5);
    const hash = picker(list);
    const ring = new Ring(
      list.map((one) => one.hash),
      Float64Array.from(list, () => 1),
    );
    for (let key = 0; key < 100; key++) {
      const next = ring.owner(ring.locate(finalMix(murmurHash(`user-${key}`) ^ 1)));
      expect(hash.pickOther(requestOf(key), 0, () => true)).toBe(list[next]);
    }
  });

  it('a further attempt skips full endpoints, unless all endpoints are full', () => {
    const list = candidates(3);
    const hash = picker(list, undefined, { loadFactor: 1.01 });
    const home = hash.pick(requestOf(1), 0);
    const isFree = (one: Candidate): boolean => one !== home;
    const second = hash.pickOther(requestOf(1), 0, isFree)!;
    for (let call = 0; call < 9; call++) second.load.started(0);
    const third = hash.pickOther(requestOf(1), 0, isFree)!;
    expect(new Set([home, second, third]).size).toBe(3);
    expect(hash.pickOther(requestOf(1), 0, (one) => one === second)).toBe(second);
  });

  it('calls without a key spread evenly', () => {
    const counts = countPicks(picker(candidates(4)), 8_000, () => PLAIN);
    expect(counts.size).toBe(4);
    for (const count of counts.values()) expect(Math.abs(count / 2_000 - 1)).toBeLessThan(0.2);
  });
});
