import { Metadata, status } from '@grpc/grpc-js';
import { expect, it } from 'vitest';
import { EndpointLoad } from '../../../lib/balance/endpoint-load.js';
import { FleetLoad } from '../../../lib/balance/fleet-load.js';
import type { EndpointConnection } from '../../../lib/grpc/endpoint-connection.js';
import { EndpointPicker } from '../../../lib/grpc/endpoint-picker.js';

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
