import { describe, expect, it } from 'vitest';
import { inConnectOrder } from '../../../../lib/grpc/connection/connect-plan.js';
import type { EndpointConnection } from '../../../../lib/grpc/connection/endpoint-connection.js';

const inZone = (zone: string, count: number) =>
  Array.from({ length: count }, () => ({ zone }) as EndpointConnection);

/** Draws these numbers, and no further one. */
function draws(...numbers: number[]): () => number {
  const left = numbers.values();
  return () => {
    const { value, done } = left.next();
    if (done === true) throw new Error('a number more was drawn');
    return value;
  };
}

/** The zones in the order of connections, where no draw changes the order of the list. */
const zones = (connections: EndpointConnection[], zone: string): string =>
  inConnectOrder(connections, zone, () => 0.999_999)
    .map((one) => one.zone)
    .join('');

describe('the order of the first connections', () => {
  it('is each of the possible orders, with the same probability', () => {
    const three = ['a', 'b', 'c'].flatMap((zone) => inZone(zone, 1));
    const orders = [0, 0.34, 0.67].flatMap((first) =>
      [0, 0.5].map((second) =>
        inConnectOrder(three, undefined, draws(first, second))
          .map(({ zone }) => zone)
          .join(''),
      ),
    );
    expect(orders.sort()).toEqual(['abc', 'acb', 'bac', 'bca', 'cab', 'cba']);
  });

  it('has one endpoint of another zone after each seven of the own zone, and the rest at the end', () => {
    const list = [...inZone('-', 5), ...inZone('o', 15)];
    expect(zones(list, 'o')).toBe('ooooooo-ooooooo-o---');
  });

  it('has all endpoints of the own zone in a row when no endpoint of another zone is left', () => {
    expect(zones([...inZone('o', 16), ...inZone('-', 1)], 'o')).toBe('ooooooo-ooooooooo');
  });

  it('leaves the given list as it is', () => {
    const list = [...inZone('a', 1), ...inZone('b', 1)];
    const before = [...list];
    inConnectOrder(list, undefined, () => 0);
    expect(list).toEqual(before);
    expect(list[0]).toBe(before[0]);
  });
});
