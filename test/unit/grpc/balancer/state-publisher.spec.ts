/** What the publisher tells a channel about the state of its balancer. */
import { connectivityState } from '@grpc/grpc-js';
import { beforeEach, expect, it } from 'vitest';
import { StatePublisher } from '../../../../lib/grpc/balancer/state-publisher.js';
import {
  type ChannelControlHelper,
  type GrpcPicker,
  type LoadBalancer,
  PickResultType,
} from '../../../../lib/grpc/grpc-js/grpc-experimental.js';

const { CONNECTING, READY, TRANSIENT_FAILURE } = connectivityState;

let heard: Parameters<ChannelControlHelper['updateState']>[];
let publisher: StatePublisher;
let wakes: number;

beforeEach(() => {
  heard = [];
  wakes = 0;
  const helper = {
    updateState: (...args: Parameters<ChannelControlHelper['updateState']>) => heard.push(args),
  } as unknown as ChannelControlHelper;
  publisher = new StatePublisher(helper, { exitIdle: () => wakes++ } as unknown as LoadBalancer);
});

const picker: GrpcPicker = {
  pick: () => {
    throw new Error('no call is made');
  },
};

it('the state pick makes the channel READY with the picker', () => {
  publisher.publish({ calls: 'pick', picker });
  expect(heard).toEqual([[READY, picker, null]]);
});

it('the state fail makes the channel fail calls with the details, and report them', () => {
  publisher.publish({ calls: 'fail', details: 'why' });
  const [state, failing, message] = heard[0]!;
  expect([state, message]).toEqual([TRANSIENT_FAILURE, 'why']);
  const result = failing.pick({ metadata: undefined as never, extraPickInfo: {} });
  expect(result).toMatchObject({ status: { code: 14, details: 'why' } });
});

it('the state wait makes the channel queue calls, and the balancer connects when a call waits', async () => {
  publisher.publish({ calls: 'wait' });
  const [state, queue, message] = heard[0]!;
  expect([state, message]).toEqual([CONNECTING, null]);
  const result = queue.pick({ metadata: undefined as never, extraPickInfo: {} });
  expect(result.pickResultType).toBe(PickResultType.QUEUE);
  await new Promise(process.nextTick);
  expect(wakes).toBe(1);
});

it('a repeated state wait is published once, any other repeated state every time', () => {
  const failed = { calls: 'fail', details: 'why' } as const;
  for (const state of [{ calls: 'wait' }, { calls: 'wait' }, failed, failed] as const) {
    publisher.publish(state);
  }
  publisher.publish({ calls: 'wait' });
  publisher.publish({ calls: 'pick', picker });
  publisher.publish({ calls: 'pick', picker });
  expect(heard.map(([state]) => state)).toEqual([
    CONNECTING,
    TRANSIENT_FAILURE,
    TRANSIENT_FAILURE,
    CONNECTING,
    READY,
    READY,
  ]);
});
