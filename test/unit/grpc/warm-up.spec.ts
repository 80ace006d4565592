import { type Client, connectivityState } from '@grpc/grpc-js';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { warmUp } from '../../../lib/grpc/warm-up.js';

const { CONNECTING, IDLE, READY, TRANSIENT_FAILURE } = connectivityState;

/** A channel whose state a test sets. */
class FakeChannel {
  state = IDLE;
  asked: boolean[] = [];
  watches: { from: connectivityState; deadline: number }[] = [];
  private onChange: ((error?: Error) => void) | undefined;

  getConnectivityState(tryToConnect: boolean): connectivityState {
    this.asked.push(tryToConnect);
    return this.state;
  }

  watchConnectivityState(from: connectivityState, deadline: number, done: () => void): void {
    this.watches.push({ from, deadline });
    this.onChange = done;
  }

  become(state: connectivityState): void {
    this.state = state;
    this.onChange?.();
  }

  expire(): void {
    this.onChange?.(new Error('Deadline passed without connectivity state change'));
  }
}

let channel: FakeChannel;
let isOver: boolean;

beforeEach(() => {
  vi.useFakeTimers({ now: 1_000_000 });
  channel = new FakeChannel();
  isOver = false;
});
afterEach(() => {
  vi.useRealTimers();
});

async function begin(): Promise<void> {
  void warmUp(channel as unknown as ReturnType<Client['getChannel']>, 1_500).then(
    () => (isOver = true),
  );
  await Promise.resolve();
}

it.each([READY, TRANSIENT_FAILURE])(
  'warmUp does not wait for a channel in state %i',
  async (state) => {
    channel.state = state;
    await begin();
    expect([isOver, channel.watches]).toEqual([true, []]);
  },
);

it.each([READY, TRANSIENT_FAILURE])(
  'warmUp connects a channel, and waits until it is in state %i',
  async (state) => {
    await begin();
    channel.become(CONNECTING);
    await Promise.resolve();
    expect(isOver).toBe(false);
    expect(channel.asked).toEqual([true, true]);
    expect(channel.watches).toEqual([
      { from: IDLE, deadline: 1_001_500 },
      { from: CONNECTING, deadline: 1_001_500 },
    ]);
    channel.become(state);
    await Promise.resolve();
    expect(isOver).toBe(true);
  },
);

it('warmUp ends its wait after the given time, whatever the state of the channel', async () => {
  await begin();
  channel.expire();
  await Promise.resolve();
  expect([isOver, channel.watches.length]).toEqual([true, 1]);
});
