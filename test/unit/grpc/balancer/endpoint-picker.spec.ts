import { Metadata, status } from '@grpc/grpc-js';
import { CompressionFilter } from '@grpc/grpc-js/build/src/compression-filter.js';
import { StreamDecoder } from '@grpc/grpc-js/build/src/stream-decoder.js';
import { expect, it } from 'vitest';
import { EndpointLoad } from '../../../../lib/balance/load/endpoint-load.js';
import { FleetLoad } from '../../../../lib/balance/load/fleet-load.js';
import type { EndpointConnection } from '../../../../lib/grpc/connection/endpoint-connection.js';
import { EndpointPicker } from '../../../../lib/grpc/balancer/endpoint-picker.js';

const host = { now: () => 0, onPick: () => {}, onFailure: () => {}, measures: false };

/** Picks from a fixed sequence of connections, over and over; which one shows in its subchannel. */
function picking(sequence: readonly string[]) {
  let next = 0;
  const load = new EndpointLoad(new FleetLoad());
  const connection = new Map(
    sequence.map((name) => [name, { subchannel: name, state: 'ready', load }]),
  );
  const picker = new EndpointPicker(
    {
      pick: () =>
        connection.get(sequence[next++ % sequence.length] ?? '') as unknown as EndpointConnection,
    },
    host,
  );
  return (call: Record<string, string>): unknown =>
    picker.pick({ metadata: new Metadata(), extraPickInfo: call }).subchannel;
}

it('a further attempt of a call goes where the earlier ones did not', () => {
  const pick = picking(['a', 'a', 'a', 'b', 'a', 'b', 'c']);
  const call = {};
  expect([pick(call), pick(call), pick(call)]).toEqual(['a', 'b', 'c']);
});

it('where the policy repeats itself, its second choice among those that are ready is asked for', () => {
  const load = new EndpointLoad(new FleetLoad());
  const connections = ['a', 'lost', 'b', 'c'].map((name) => ({
    subchannel: name,
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
    host,
  );
  const extraPickInfo = {};
  const pick = (): unknown => picker.pick({ metadata: new Metadata(), extraPickInfo }).subchannel;
  expect(pick()).toBe('a');
  expect(others).toBe(0);
  expect([pick(), pick(), pick()]).toEqual(['b', 'c', 'a']);
});

it('another call knows nothing of it', () => {
  const pick = picking(['a', 'a', 'b']);
  expect([pick({}), pick({})]).toEqual(['a', 'a']);
});

it('where the policy has only one endpoint for a call, it gets that again', () => {
  const pick = picking(['a']);
  const call = {};
  expect([pick(call), pick(call)]).toEqual(['a', 'a']);
});

it('what a server says when it refuses reaches the load of its endpoint', () => {
  const load = new EndpointLoad(new FleetLoad());
  const connection = { subchannel: 'a', state: 'ready', load } as unknown as EndpointConnection;
  const picker = new EndpointPicker({ pick: () => connection }, { ...host, measures: true });
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

it("grpc-js's own size limits are no refusal by the server", async () => {
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
  const measuring = { ...host, measures: true, onFailure: () => failed.push(1) };
  const connection = { subchannel: 'a', state: 'ready', load } as unknown as EndpointConnection;
  const picker = new EndpointPicker({ pick: () => connection }, measuring);
  for (const text of texts) {
    const args = { metadata: new Metadata(), extraPickInfo: {} };
    const { onCallStarted, onCallEnded } = picker.pick(args);
    onCallStarted?.();
    onCallEnded?.(status.RESOURCE_EXHAUSTED, text, new Metadata());
  }
  expect([load.refusedCalls(0), failed, load.tally.failures]).toEqual([0, [], 0]);
});
