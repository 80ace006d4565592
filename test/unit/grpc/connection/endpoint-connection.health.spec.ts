/** The health check of one connection, which lives as long as its transport is ready. */
import { beforeEach, expect, it } from 'vitest';
import { ReadEndpointFacts } from '../../../../lib/balance/candidate.js';
import { EndpointLoad } from '../../../../lib/balance/load/endpoint-load.js';
import { FleetLoad } from '../../../../lib/balance/load/fleet-load.js';
import {
  type ConnectionState,
  EndpointConnection,
} from '../../../../lib/grpc/connection/endpoint-connection.js';
import type { TransportState } from '../../../../lib/grpc/connection/transport.js';
import { FakeClock } from '../../../../lib/testing/fake-clock.js';
import { FakeTransport } from './fake-transport.js';

const settingsOf = (healthService?: string) => ({
  connectTimeoutMs: 5_000,
  healthService,
  latency: undefined,
});

let transport: FakeTransport;
let states: ConnectionState[];
let connection: EndpointConnection;

beforeEach(() => {
  transport = new FakeTransport();
  states = [];
  const facts = new ReadEndpointFacts({ address: '10.0.0.1:1', metadata: null });
  connection = new EndpointConnection(facts, settingsOf('user.User'), {
    clock: new FakeClock(),
    random: () => 0.5,
    dial: () => transport,
    createLoad: () => new EndpointLoad(new FleetLoad()),
    onChange: ({ state }) => states.push(state),
  });
  connection.connect();
  transport.become('ready');
});

it('the health check begins when the transport is ready, and its answers set the state', () => {
  expect(connection.state).toBe('connecting');
  expect(transport.health?.service).toBe('user.User');
  transport.health?.onAnswer(1);
  transport.health?.onAnswer(2);
  transport.health?.onAnswer(1);
  expect(states).toEqual(['connecting', 'ready', 'failed', 'ready']);
});

it.each<TransportState>(['connecting', 'failed', 'idle'])(
  'the health check ends when the transport becomes %s, and begins anew when it is ready again',
  (state) => {
    const before = transport.health;
    before?.onAnswer(1);
    transport.become(state);
    expect(transport.health).toBeUndefined();
    const { length } = states;
    before?.onAnswer(2);
    expect(states).toHaveLength(length);
    transport.become('ready');
    expect(transport.health).not.toBe(before);
    expect(transport.health?.service).toBe('user.User');
  },
);

it('the health check begins anew for another service, and ends if the settings name no service', () => {
  const before = transport.health;
  before?.onAnswer(1);
  connection.configure(settingsOf('other.Other'));
  expect(transport.health?.service).toBe('other.Other');
  expect(connection.state).toBe('connecting');
  connection.configure(settingsOf('other.Other'));
  transport.health?.onAnswer(2);
  expect(connection.state).toBe('failed');
  connection.configure(settingsOf());
  expect([transport.health, connection.state]).toEqual([undefined, 'ready']);
});

it('the last error of the connection is the last failure of the health check', () => {
  transport.health?.onAnswer(2);
  expect(connection.lastError).toBe("the server's health status is 2");
  transport.health?.onAnswer(1);
  expect(connection.lastError).toBe("the server's health status is 2");
});
