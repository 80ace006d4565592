/** Attempts to connect end with their last user, and with nobody else. */
import { connectivityState } from '@grpc/grpc-js';
import { beforeEach, describe, expect, it } from 'vitest';
import {
  createSubchannel,
  holdSubchannel,
  releaseSubchannel,
} from '../../../../lib/grpc/connection/connect-attempts.js';
import type {
  ChannelControlHelper,
  Subchannel,
} from '../../../../lib/grpc/grpc-js/grpc-experimental.js';
import { FakeSubchannel } from '../fake-channel.js';

/** What `net.connect` reads of an address. */
interface Dialled {
  readonly host: string;
  readonly port: number;
  readonly signal: AbortSignal;
}

let dialled: Dialled;
let real: FakeSubchannel;
let subchannel: Subchannel;

beforeEach(() => {
  subchannel = create(new FakeSubchannel('10.0.0.1:1', {}));
  holdSubchannel(subchannel);
});

function create(made: FakeSubchannel): Subchannel {
  real = made;
  const helper = {
    createSubchannel: (address: unknown) => {
      dialled = address as Dialled;
      return made.asSubchannel;
    },
  } as unknown as ChannelControlHelper;
  return createSubchannel(helper, { host: '10.0.0.1', port: 1 }, {});
}

/** As `net.connect` takes the address apart. */
const dial = (): AbortSignal => ({ ...dialled }).signal;

describe('createSubchannel', () => {
  it('dials the address it was given', () => {
    expect(dialled).toMatchObject({ host: '10.0.0.1', port: 1 });
  });

  it('has every attempt be ended by itself', () => {
    const first = dial();
    const second = dial();
    real.state = connectivityState.CONNECTING;
    releaseSubchannel(subchannel);
    expect([first.aborted, second.aborted]).toEqual([false, true]);
  });
});

describe('releaseSubchannel', () => {
  it('gives the reference back that was taken', () => {
    expect(real.refs).toBe(1);
    releaseSubchannel(subchannel);
    expect(real.refs).toBe(0);
  });

  it('leaves what is connected to the calls on it', () => {
    const signal = dial();
    real.state = connectivityState.READY;
    releaseSubchannel(subchannel);
    expect(signal.aborted).toBe(false);
  });

  it('leaves an attempt to the other channels that wait for it', () => {
    const signal = dial();
    const other = create(real);
    holdSubchannel(other);
    real.state = connectivityState.CONNECTING;
    releaseSubchannel(subchannel);
    expect(signal.aborted).toBe(false);
    releaseSubchannel(other);
    expect(signal.aborted).toBe(true);
  });

  it('ends an attempt that gRPC begins later, as soon as it has begun', async () => {
    releaseSubchannel(subchannel);
    const signal = dial();
    // A socket that is given an aborted signal connects all the same.
    expect(signal.aborted).toBe(false);
    await Promise.resolve();
    expect(signal.aborted).toBe(true);
  });
});
