/** One connection: what moves it, when it gives up, how it begins anew. */
import { connectivityState } from '@grpc/grpc-js';
import { beforeEach, expect, it } from 'vitest';
import { ReadEndpointFacts } from '../../../../lib/balance/candidate.js';
import { EndpointLoad } from '../../../../lib/balance/load/endpoint-load.js';
import { FleetLoad } from '../../../../lib/balance/load/fleet-load.js';
import {
  type ConnectionState,
  EndpointConnection,
} from '../../../../lib/grpc/connection/endpoint-connection.js';
import { FakeClock } from '../../../../lib/testing/fake-clock.js';
import { seededRandom } from '../../../support/seeded-random.js';
import { FakeSubchannel } from '../fake-channel.js';

const { CONNECTING, IDLE, READY, TRANSIENT_FAILURE } = connectivityState;
const ADDRESS = '10.0.0.1:1';

let clock: FakeClock;
let made: FakeSubchannel[];
let states: ConnectionState[];
let connection: EndpointConnection;
let prepare: (subchannel: FakeSubchannel) => void;

beforeEach(() => {
  clock = new FakeClock();
  made = [];
  states = [];
  prepare = () => {};
  connection = new EndpointConnection(
    new ReadEndpointFacts({ address: ADDRESS, metadata: null }),
    () => new EndpointLoad(new FleetLoad()),
    {
      clock,
      random: seededRandom(1),
      createSubchannel: ({ address }, attempt) => {
        const subchannel = new FakeSubchannel(address, { attempt });
        prepare(subchannel);
        made.push(subchannel);
        return subchannel.asSubchannel;
      },
      onChange: ({ state }) => states.push(state),
      connectTimeoutMs: 5_000,
      healthService: undefined,
      sparesPings: false,
    },
  );
});

const current = (): FakeSubchannel => {
  const subchannel = made.at(-1);
  if (subchannel === undefined) throw new Error('no connection was made');
  return subchannel;
};

it.each<{
  name: string;
  path: connectivityState[];
  expected: ConnectionState[];
}>([
  { name: 'connecting', path: [], expected: ['connecting'] },
  { name: 'ready', path: [READY], expected: ['connecting', 'ready'] },
  { name: 'refused', path: [TRANSIENT_FAILURE], expected: ['connecting', 'failed'] },
  {
    name: 'refused and retried: failed until it is ready',
    path: [TRANSIENT_FAILURE, CONNECTING],
    expected: ['connecting', 'failed'],
  },
  {
    name: 'refused, retried, ready',
    path: [TRANSIENT_FAILURE, CONNECTING, READY],
    expected: ['connecting', 'failed', 'ready'],
  },
  { name: 'lost', path: [READY, IDLE], expected: ['connecting', 'ready', 'idle'] },
  {
    name: 'backoff over: tries again, still failed',
    path: [TRANSIENT_FAILURE, IDLE],
    expected: ['connecting', 'failed'],
  },
])('$name', ({ path, expected }) => {
  connection.connect();
  for (const state of path) current().become(state);
  expect(states).toEqual(expected);
});

it('sets a refused connection to try again by itself', () => {
  connection.connect();
  const { starts } = current();
  current().become(TRANSIENT_FAILURE, 'refused');
  expect(current().starts).toBe(starts + 1);
  expect(connection.lastError).toBe('refused');
});

it('takes a connection over that another channel has made', () => {
  prepare = (subchannel) => (subchannel.state = READY);
  connection.connect();
  expect(states).toEqual(['ready']);
  expect(clock.pendingTimers).toBe(0);
});

it('does not inherit the backoff that another channel is in', () => {
  prepare = (subchannel) => (subchannel.state = TRANSIENT_FAILURE);
  connection.connect();
  expect(current().backoffResets).toBe(1);
});

it('breaks off an HTTP/2 handshake that is not answered in time, and leaves the retry to gRPC', () => {
  connection.connect();
  clock.advance(4_999);
  expect(current().session.destroyed).toBe(false);
  clock.advance(1);
  expect(current().session.destroyed).toBe(true);
  current().become(TRANSIENT_FAILURE, 'Failed to connect');
  expect(connection.state).toBe('failed');
  expect(connection.lastError).toMatch(/no HTTP\/2 answer from 10\.0\.0\.1:1 within 5000 ms/);
  current().become(CONNECTING);
  current().become(READY);
  expect(connection.state).toBe('ready');
  expect(made).toHaveLength(1);
});

it('leaves a connection that cannot be broken off, and tries anew with another one, failed meanwhile', () => {
  prepare = (subchannel) => (subchannel.connector.session = null);
  connection.connect();
  const first = current();
  clock.advance(5_000);
  expect(states).toEqual(['connecting', 'failed']);
  expect(first.refs).toBe(0);
  expect(first.listenerCount).toBe(0);
  clock.advance(1_000);
  expect(made).toHaveLength(2);
  expect(made[0]?.options).not.toEqual(made[1]?.options);
  expect(states).toEqual(['connecting', 'failed']);
  current().become(READY);
  expect(connection.state).toBe('ready');
});

it('times a retry as it times the first attempt', () => {
  connection.connect();
  current().become(TRANSIENT_FAILURE, 'refused');
  expect(clock.pendingTimers).toBe(0);
  current().become(CONNECTING);
  clock.advance(5_000);
  expect(current().session.destroyed).toBe(true);
});

it('renewed: forgets statistics and age, and tries again at once', () => {
  connection.connect();
  current().become(TRANSIENT_FAILURE, 'refused');
  clock.advance(3_000);
  const { load } = connection;
  connection.renew();
  expect(connection.load).not.toBe(load);
  expect(connection.joinedMs).toBe(3_000);
  expect(current().backoffResets).toBe(1);
  expect(connection.state).toBe('connecting');
});

it('renewed while a given-up connection waits: tries again at once, and only once', () => {
  prepare = (subchannel) => (subchannel.connector.session = null);
  connection.connect();
  clock.advance(5_000);
  connection.renew();
  expect(made).toHaveLength(2);
  expect(connection.state).toBe('connecting');
  expect(clock.pendingTimers).toBe(1);
});

it('renewed while it is ready: the connection stays', () => {
  connection.connect();
  current().become(READY);
  connection.renew();
  expect(connection.state).toBe('ready');
  expect(made).toHaveLength(1);
});

it('closed: lets go of everything and says nothing more', () => {
  connection.connect();
  connection.close();
  expect(current().refs).toBe(0);
  expect(current().listenerCount).toBe(0);
  expect(clock.pendingTimers).toBe(0);
  current().become(READY);
  expect(states).toEqual(['connecting']);
});
