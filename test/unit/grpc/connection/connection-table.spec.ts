/** The table of a balancer's connections while lists change. */
import { beforeEach, describe, expect, it } from 'vitest';
import { ReadEndpointFacts } from '../../../../lib/balance/candidate.js';
import { EndpointLoad } from '../../../../lib/balance/load/endpoint-load.js';
import { FleetLoad } from '../../../../lib/balance/load/fleet-load.js';
import { ConnectionTable } from '../../../../lib/grpc/connection/connection-table.js';
import { FakeClock } from '../../../../lib/testing/fake-clock.js';
import { seededRandom } from '../../../support/seeded-random.js';
import { FakeTransport } from './fake-transport.js';

const [A, B, C] = ['10.0.0.1:1', '10.0.0.1:2', '10.0.0.1:3'] as const;

let clock: FakeClock;
let table: ConnectionTable;
let transports: Map<string, FakeTransport>;
let latencies: unknown[];

const settings = (healthService?: string, decayMs?: number) => ({
  connectTimeoutMs: 5_000,
  healthService,
  latency: decayMs === undefined ? undefined : { decayMs },
});

beforeEach(() => {
  clock = new FakeClock();
  transports = new Map();
  latencies = [];
  table = new ConnectionTable(settings(), {
    clock,
    random: seededRandom(1),
    dial: ({ address }) => {
      const transport = new FakeTransport();
      transports.set(address, transport);
      return transport;
    },
    createLoad: (latency) => {
      latencies.push(latency);
      return new EndpointLoad(new FleetLoad(), latency);
    },
    onChange: (connection, from) => table.recordTransition(connection, from),
  });
});

const list = (...addresses: readonly string[]) =>
  addresses.map((address) => new ReadEndpointFacts({ address, metadata: null }));
const to = (address: string) => {
  const found = [...table.values()].find(({ endpoint }) => endpoint.address === address);
  if (found === undefined) throw new Error(`${address} is not in the table`);
  return found;
};
const transportTo = (address: string): FakeTransport => {
  const transport = transports.get(address);
  if (transport === undefined) throw new Error(`${address} was not dialled`);
  return transport;
};

describe('replace() with a new list', () => {
  it('keeps the connections of endpoints that stay, and returns those that are new', () => {
    const [a, b] = table.replace(list(A, B));
    const joined = table.replace(list(B, C));
    expect(joined.map(({ endpoint }) => endpoint.address)).toEqual([C]);
    expect(to(B)).toBe(b);
    expect(table.has(a!)).toBe(false);
    expect(table.size).toBe(2);
  });

  it('closes the connections of endpoints that left, and removes them from the counts', () => {
    for (const connection of table.replace(list(A, B))) connection.connect();
    transportTo(A).become('ready');
    table.replace(list(B));
    expect(transportTo(A).isReleased).toBe(true);
    expect(table.count).toEqual({ idle: 0, connecting: 1, ready: 0, failed: 0 });
  });
});

describe('the counts of connections by state', () => {
  it('follow every change of a connection', () => {
    table.replace(list(A, B, C));
    expect(table.count).toEqual({ idle: 3, connecting: 0, ready: 0, failed: 0 });
    for (const connection of table.values()) connection.connect();
    transportTo(A).become('ready');
    transportTo(B).become('failed', 'refused');
    expect(table.count).toEqual({ idle: 0, connecting: 1, ready: 1, failed: 1 });
    table.disconnect(to(A));
    expect(table.count).toEqual({ idle: 1, connecting: 1, ready: 0, failed: 1 });
  });

  it('do not change when a connection that has left the table changes its state', () => {
    const [a] = table.replace(list(A));
    table.replace(list(B));
    expect(table.recordTransition(a!, 'idle')).toBe(false);
    expect(table.count).toEqual({ idle: 1, connecting: 0, ready: 0, failed: 0 });
  });
});

it('the last error of the table is that of the connection that failed last', () => {
  for (const connection of table.replace(list(A, B))) connection.connect();
  expect(table.lastError).toBeUndefined();
  transportTo(A).become('failed', 'refused a');
  transportTo(B).become('failed', 'refused b');
  expect(table.lastError).toBe('refused b');
  transportTo(A).become('connecting');
  transportTo(A).become('ready');
  expect(table.lastError).toBe('refused b');
  table.replace(list(A, B, C));
  to(C).connect();
  transportTo(C).become('failed');
  expect(table.lastError).toBe('refused b');
});

describe('new settings', () => {
  it('reach the connections that are in the table, and those that join later', () => {
    table.replace(list(A));
    table.configure(settings('service', 1_000));
    table.replace(list(A, B));
    for (const connection of table.values()) connection.connect();
    transportTo(A).become('ready');
    transportTo(B).become('ready');
    expect([transportTo(A).health?.service, transportTo(B).health?.service]).toEqual([
      'service',
      'service',
    ]);
    expect([...table.values()].every(({ load }) => load.inFlight === 0)).toBe(true);
    expect(latencies).toEqual([{ decayMs: 1_000 }, { decayMs: 1_000 }]);
  });
});

it('close() closes every connection of the table', () => {
  for (const connection of table.replace(list(A, B))) connection.connect();
  table.close();
  expect([...transports.values()].every(({ isReleased }) => isReleased)).toBe(true);
  expect([table.size, clock.pendingTimers]).toEqual([0, 0]);
});
