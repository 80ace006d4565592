import { describe, expect, it } from 'vitest';
import { pickSubset } from '../../../lib/balance/subset.js';
import { candidate, candidates } from './fixtures.js';

const addresses = (
  list: readonly { readonly endpoint: { readonly address: string } }[],
): string[] => list.map(({ endpoint }) => endpoint.address);

describe('pickSubset', () => {
  it('changes at most one entry of any client when one server comes or goes', () => {
    const list = candidates(41);
    let changed = 0;
    for (let client = 0; client < 500; client++) {
      const options = { size: 8, clientId: `client-${client}` };
      const with41 = new Set(addresses(pickSubset(list, options)));
      const with40 = addresses(pickSubset(list.slice(0, 40), options));
      expect(with40).toHaveLength(8);
      const left = with40.filter((address) => !with41.has(address));
      expect(left.length).toBeLessThanOrEqual(1);
      if (left.length === 1) expect(with41).toContain(list[40]!.endpoint.address);
      changed += left.length;
    }
    // The new one is in 8 of 41 subsets. ε: 4 standard deviations of 97.6.
    expect(Math.abs(changed - (500 * 8) / 41)).toBeLessThan(36);
  });

  it('loads every server within 15 % of even where clients × size / servers is 1,000', () => {
    const list = candidates(40);
    const clients = new Map(addresses(list).map((address) => [address, 0]));
    for (let client = 0; client < 5_000; client++) {
      for (const address of addresses(pickSubset(list, { size: 8, clientId: `pod-${client}` }))) {
        clients.set(address, clients.get(address)! + 1);
      }
    }
    for (const count of clients.values()) expect(Math.abs(count / 1_000 - 1)).toBeLessThan(0.15);
  });

  it('deviates as the binomial says, so its choices are independent', () => {
    const list = candidates(100);
    const clients = new Map(addresses(list).map((address) => [address, 0]));
    for (let client = 0; client < 1_000; client++) {
      for (const address of addresses(pickSubset(list, { size: 20, clientId: `${client}` }))) {
        clients.set(address, clients.get(address)! + 1);
      }
    }
    const variance =
      [...clients.values()].reduce((sum, count) => sum + (count - 200) ** 2, 0) / 100;
    // Expected 200 × 0.8 = 160; the sample variance of 100 has a standard deviation of 14 %.
    expect(variance).toBeGreaterThan(160 * 0.5);
    expect(variance).toBeLessThan(160 * 1.5);
  });

  it('does not depend on the order of the list, and keeps it', () => {
    const list = candidates(30);
    const options = { size: 5, clientId: 'one' };
    const chosen = addresses(pickSubset(list, options));
    expect(addresses(pickSubset(list.toReversed(), options))).toEqual(chosen.toReversed());
    expect(chosen).toEqual(addresses(list).filter((address) => chosen.includes(address)));
  });

  it('uses a fleet that is no larger whole', () => {
    const list = candidates(3);
    expect(pickSubset(list, { size: 3, clientId: 'one' })).toBe(list);
    expect(pickSubset(list, { size: 9, clientId: 'one' })).toBe(list);
  });

  it('takes endpoints of a preferred zone first and fills up with others', () => {
    const list = Array.from({ length: 30 }, (_, at) =>
      candidate(`10.0.0.1:${at + 1}`, { zone: at < 4 ? 'a' : 'b' }),
    );
    const chosen = pickSubset(list, { size: 6, clientId: 'one', zone: 'a' });
    expect(chosen.map(({ zone }) => zone)).toEqual(['a', 'a', 'a', 'a', 'b', 'b']);
    const fewer = pickSubset(list, { size: 3, clientId: 'one', zone: 'a' });
    expect(fewer.map(({ zone }) => zone)).toEqual(['a', 'a', 'a']);
  });
});
