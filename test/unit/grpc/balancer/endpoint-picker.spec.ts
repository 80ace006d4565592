import { Metadata, status } from '@grpc/grpc-js';
import { CompressionFilter } from '@grpc/grpc-js/build/src/compression-filter.js';
import { LoadBalancingCall } from '@grpc/grpc-js/build/src/load-balancing-call.js';
import { RetryingCall } from '@grpc/grpc-js/build/src/retrying-call.js';
import { StreamDecoder } from '@grpc/grpc-js/build/src/stream-decoder.js';
import { describe, expect, it } from 'vitest';
import { EndpointLoad } from '../../../../lib/balance/load/endpoint-load.js';
import { FleetLoad } from '../../../../lib/balance/load/fleet-load.js';
import type { EndpointConnection } from '../../../../lib/grpc/connection/endpoint-connection.js';
import type { PickRequest } from '../../../../lib/balance/picker.js';
import { EndpointPicker, STREAM_MARK } from '../../../../lib/grpc/balancer/endpoint-picker.js';
import { HASH_KEY_HEADER } from '../../../../lib/grpc/interceptors/hash-key.js';
import { PickResultType } from '../../../../lib/grpc/grpc-js/grpc-experimental.js';

const clock = { now: () => 0 };
const observer = { onPick: () => {}, onFailure: () => {} };

/** Makes a picker whose policy repeats this sequence of connections; returns the name of the picked one. */
function picking(sequence: readonly string[]) {
  let next = 0;
  const load = new EndpointLoad(new FleetLoad());
  const connection = new Map(
    sequence.map((name) => [name, { transport: { subchannel: name }, state: 'ready', load }]),
  );
  const picker = new EndpointPicker(
    {
      pick: () =>
        connection.get(sequence[next++ % sequence.length] ?? '') as unknown as EndpointConnection,
    },
    clock,
    observer,
    false,
  );
  return (call: Record<string, string>): unknown =>
    picker.pick({ metadata: new Metadata(), extraPickInfo: call }).subchannel;
}

it('a further attempt of a call goes to an endpoint that the call has not tried', () => {
  const pick = picking(['a', 'a', 'a', 'b', 'a', 'b', 'c']);
  const call = {};
  expect([pick(call), pick(call), pick(call)]).toEqual(['a', 'b', 'c']);
});

it('the picker asks the policy for another ready endpoint if the policy repeats its choice', () => {
  const load = new EndpointLoad(new FleetLoad());
  const connections = ['a', 'lost', 'b', 'c'].map((name) => ({
    transport: { subchannel: name },
    state: name === 'lost' ? 'idle' : 'ready',
    load,
  })) as unknown as EndpointConnection[];
  let others = 0;
  const picker = new EndpointPicker(
    {
      pick: () => connections[0]!,
      pickOther: (_request, _nowMs, isFree) => {
        others++;
        return connections.find(isFree);
      },
    },
    clock,
    observer,
    false,
  );
  const extraPickInfo = {};
  const pick = (): unknown => picker.pick({ metadata: new Metadata(), extraPickInfo }).subchannel;
  expect(pick()).toBe('a');
  expect(others).toBe(0);
  expect([pick(), pick(), pick()]).toEqual(['b', 'c', 'a']);
});

it('a second call may go to the endpoint that the first call tried', () => {
  const pick = picking(['a', 'a', 'b']);
  expect([pick({}), pick({})]).toEqual(['a', 'a']);
});

it('a further attempt of a call goes to the same endpoint if the policy has no other', () => {
  const pick = picking(['a']);
  const call = {};
  expect([pick(call), pick(call)]).toEqual(['a', 'a']);
});

it('the load of an endpoint counts a refusal until the pause that its server asked for is over', () => {
  const load = new EndpointLoad(new FleetLoad());
  const connection = {
    transport: { subchannel: 'a' },
    state: 'ready',
    load,
  } as unknown as EndpointConnection;
  const picker = new EndpointPicker({ pick: () => connection }, clock, observer, true);
  const end = (code: status, trailers: Record<string, string>): void => {
    const { onCallStarted, onCallEnded } = picker.pick({
      metadata: new Metadata(),
      extraPickInfo: {},
    });
    const metadata = new Metadata();
    for (const [name, value] of Object.entries(trailers)) metadata.set(name, value);
    onCallStarted?.();
    onCallEnded?.(code, '', metadata);
  };
  end(status.UNAVAILABLE, {});
  expect(load.refusedCalls(0)).toBe(0);
  end(status.RESOURCE_EXHAUSTED, {});
  end(status.UNAVAILABLE, { 'grpc-retry-pushback-ms': '20000' });
  expect([4_000, 6_000, 19_000, 21_000].map((nowMs) => load.refusedCalls(nowMs))).toEqual([
    2, 1, 1, 0,
  ]);
});

it("a call that grpc-js's own size limits end does not count as a failure or refusal by the server", async () => {
  const texts: string[] = [];
  try {
    new StreamDecoder(4).write(Buffer.from([0, 0, 0, 0, 5, 1, 2, 3, 4, 5]));
  } catch (error) {
    texts.push((error as Error).message);
  }
  const filter = new CompressionFilter({ 'grpc.max_send_message_length': 4 }, {});
  const sent = filter.sendMessage(Promise.resolve({ message: Buffer.alloc(5) }));
  await sent.catch((error: { details: string }) => texts.push(error.details));
  expect(texts).toHaveLength(2);

  const load = new EndpointLoad(new FleetLoad());
  const failed: unknown[] = [];
  const counting = { ...observer, onFailure: () => failed.push(1) };
  const connection = {
    transport: { subchannel: 'a' },
    state: 'ready',
    load,
  } as unknown as EndpointConnection;
  const picker = new EndpointPicker({ pick: () => connection }, clock, counting, true);
  for (const text of texts) {
    const args = { metadata: new Metadata(), extraPickInfo: {} };
    const { onCallStarted, onCallEnded } = picker.pick(args);
    onCallStarted?.();
    onCallEnded?.(status.RESOURCE_EXHAUSTED, text, new Metadata());
  }
  expect([load.refusedCalls(0), failed, load.tally.failures]).toEqual([0, [], 0]);
});

it('in the loaded grpc-js, all picks of one call get the same pick information', () => {
  const picked: unknown[] = [];
  const channel = {
    getOptions: () => ({}),
    getServiceUrl: () => '',
    queueCallForPick: () => {},
    doPick: (_metadata: Metadata, extraPickInfo: unknown) => {
      picked.push(extraPickInfo);
      return { pickResultType: PickResultType.QUEUE };
    },
    createLoadBalancingCall: (...call: readonly unknown[]): object =>
      Reflect.construct(LoadBalancingCall, [channel, ...call]),
  };
  const config = { methodConfig: { name: [] }, pickInformation: {} };
  const call = Reflect.construct(RetryingCall, [channel, config]) as unknown as {
    start(metadata: Metadata, listener: object): void;
    startNewAttempt(): void;
  };
  call.start(new Metadata(), {});
  call.startNewAttempt();
  expect(picked).toHaveLength(2);
  for (const extraPickInfo of picked) expect(extraPickInfo).toBe(config.pickInformation);
});

/** A connection, with statistics of its own. */
function connectionTo(name: string, state = 'ready') {
  const load = new EndpointLoad(new FleetLoad());
  const connection = { transport: { subchannel: name }, state, load };
  return { connection: connection as unknown as EndpointConnection, load };
}

/** What a picker does whose policy always picks one connection. */
function alwaysPicking(measures: boolean, now = () => 0) {
  const { connection, load } = connectionTo('a');
  const failed: unknown[] = [];
  const counting = { onPick: () => {}, onFailure: (one: unknown) => failed.push(one) };
  const picker = new EndpointPicker({ pick: () => connection }, { now }, counting, measures);
  const pick = (extraPickInfo = {}) => picker.pick({ metadata: new Metadata(), extraPickInfo });
  return { pick, load, failed };
}

describe('a call', () => {
  it.each([true, false])(
    'counts as in flight from its start to its end (measured: %s)',
    (measures) => {
      const { pick, load } = alwaysPicking(measures);
      const { onCallStarted, onCallEnded } = pick();
      expect(load.inFlight).toBe(0);
      onCallStarted?.();
      expect(load.inFlight).toBe(1);
      onCallEnded?.(status.OK, '', new Metadata());
      expect(load.inFlight).toBe(0);
    },
  );

  it('that is not measured reads no clock', () => {
    const { pick, load } = alwaysPicking(false, () => {
      throw new Error('the clock was read');
    });
    const { subchannel, onCallStarted, onCallEnded } = pick();
    onCallStarted?.();
    onCallEnded?.(status.INTERNAL, '', new Metadata());
    expect([subchannel, load.tally.failures]).toEqual(['a', 0]);
  });

  it('is timed unless it is marked as a stream', () => {
    let nowMs = 100;
    const { pick, load } = alwaysPicking(true, () => nowMs);
    pick({ [STREAM_MARK]: 'yes' }).onCallStarted?.();
    nowMs = 150;
    expect(load.silenceMs(200)).toBe(0);
    pick().onCallStarted?.();
    expect(load.silenceMs(200)).toBe(50);
  });

  it.each([
    ['INTERNAL', 1],
    ['DEADLINE_EXCEEDED', 1],
    ['CANCELLED', 0],
    ['NOT_FOUND', 0],
    ['OK', 0],
  ] as const)('that ends with %s is reported as failed %i times', (code, times) => {
    const { pick, load, failed } = alwaysPicking(true);
    const { onCallStarted, onCallEnded } = pick();
    onCallStarted?.();
    onCallEnded?.(status[code], '', new Metadata());
    expect(failed).toEqual(Array.from({ length: times }, () => load));
  });
});

describe('a further attempt', () => {
  it('makes the picker ask the policy 16 more times at most', () => {
    const { connection } = connectionTo('a');
    let asked = 0;
    const policy = { pick: () => (asked++, connection) };
    const picker = new EndpointPicker(policy, clock, observer, false);
    const args = { metadata: new Metadata(), extraPickInfo: {} };
    picker.pick(args);
    expect(asked).toBe(1);
    picker.pick(args);
    expect(asked).toBe(1 + 1 + 16);
  });

  it('may go to an endpoint that was lost when the call chose it before', () => {
    const [a, b] = [connectionTo('a', 'idle').connection, connectionTo('b').connection];
    let next = [a];
    const policy = { pick: () => next.shift() ?? a };
    const picker = new EndpointPicker(policy, clock, observer, false);
    const args = { metadata: new Metadata(), extraPickInfo: {} };
    expect(picker.pick(args).pickResultType).toBe(PickResultType.QUEUE);
    a.state = 'ready';
    next = [a, b];
    expect(picker.pick(args).subchannel).toBe('a');
  });
});

describe('the hash key of a call', () => {
  const { connection } = connectionTo('a');
  const seen: unknown[] = [];
  const pick = (request: PickRequest): EndpointConnection => {
    seen.push(request.header(HASH_KEY_HEADER), request.header(HASH_KEY_HEADER));
    return connection;
  };
  const picker = new EndpointPicker({ pick }, clock, observer, false);

  it('can be read again within one pick, and is not that of the call before', () => {
    const metadata = new Metadata();
    metadata.set(HASH_KEY_HEADER, Buffer.from('key'));
    picker.pick({ metadata, extraPickInfo: {} });
    picker.pick({ metadata: new Metadata(), extraPickInfo: {} });
    expect(seen).toEqual(['key', 'key', undefined, undefined]);
  });
});
