import { Metadata } from '@grpc/grpc-js';
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
