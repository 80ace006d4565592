/** A transport over a subchannel of grpc-js: what it dials, what it reports, when its attempts end. */
import { connectivityState } from '@grpc/grpc-js';
import { beforeEach, describe, expect, it } from 'vitest';
import {
  SPARING_PINGS_OPTION,
  subchannelDialer,
} from '../../../../lib/grpc/connection/subchannel-transport.js';
import type { Transport } from '../../../../lib/grpc/connection/transport.js';
import {
  type ChannelControlHelper,
  privateChannelOption,
} from '../../../../lib/grpc/grpc-js/grpc-experimental.js';
import { FakeSubchannel } from '../fake-channel.js';

const { CONNECTING, IDLE, READY, TRANSIENT_FAILURE } = connectivityState;

/** The fields of an address that `net.connect` reads. */
interface Dialled {
  readonly host: string;
  readonly port: number;
  readonly signal: AbortSignal;
}

let dialled: Dialled;
let options: unknown;
let real: FakeSubchannel;
let transport: Transport;

beforeEach(() => {
  transport = create(new FakeSubchannel('10.0.0.1:1', {}));
});

function create(made: FakeSubchannel, attempt = 0): Transport {
  real = made;
  const helper = {
    createSubchannel: (address: unknown, given: unknown) => {
      dialled = address as Dialled;
      options = given;
      return made.asSubchannel;
    },
  } as unknown as ChannelControlHelper;
  const dial = subchannelDialer(helper, {
    [SPARING_PINGS_OPTION]: 1,
    [privateChannelOption('note')]: 'for the balancer',
  });
  return dial({ address: '10.0.0.1:1', metadata: null }, attempt);
}

/** Reads the signal of the address as `net.connect` does. */
const dial = (): AbortSignal => ({ ...dialled }).signal;

describe('a dialled transport', () => {
  it('passes the address of its endpoint and the options of a connection to grpc-js', () => {
    expect(dialled).toMatchObject({ host: '10.0.0.1', port: 1 });
    expect(options).toEqual({ [SPARING_PINGS_OPTION]: 1 });
  });

  it('has other options for another attempt, so that the two share no subchannel', () => {
    const first = options;
    create(real, 1);
    expect(options).not.toEqual(first);
  });

  it('is refused for an address that cannot be dialled', () => {
    const dialUnknown = subchannelDialer({} as ChannelControlHelper, {});
    expect(() => dialUnknown({ address: 'nowhere', metadata: null }, 0)).toThrow(
      '"nowhere" cannot be dialled',
    );
  });
});

describe('the state of a transport', () => {
  it.each([
    [IDLE, 'idle'],
    [CONNECTING, 'connecting'],
    [READY, 'ready'],
    [TRANSIENT_FAILURE, 'failed'],
  ])('follows the subchannel: its state %s is %s', (state, expected) => {
    const reported: unknown[] = [];
    transport.listen((...args) => reported.push(args));
    real.become(state, 'why');
    expect(transport.state).toBe(expected);
    expect(reported).toEqual([[expected, 'why']]);
  });

  it('is reported to the last listener alone', () => {
    const reported: string[] = [];
    transport.listen(() => reported.push('first'));
    transport.listen(() => reported.push('second'));
    real.become(READY);
    expect(reported).toEqual(['second']);
    expect(real.listenerCount).toBe(1);
  });
});

function unprepared(): void {}

/** Gives a subchannel a connection of grpc-js, as far as its pings are limited. */
function connectTo(subchannel: FakeSubchannel) {
  const connection = {
    session: { closed: false },
    canSendPing: () => true,
    maybeSendPing: unprepared,
    maybeStartKeepalivePingTimer: unprepared,
    addActiveCall: unprepared,
  };
  Object.assign(subchannel, { transport: connection });
  return { isPrepared: () => connection.maybeSendPing !== unprepared };
}

describe('the connection of a transport', () => {
  it('is prepared when it becomes ready, and not before', async () => {
    const { isPrepared } = connectTo(real);
    transport.listen(() => {});
    real.become(CONNECTING);
    await Promise.resolve();
    expect(isPrepared()).toBe(false);
    real.become(READY);
    await Promise.resolve();
    expect(isPrepared()).toBe(true);
  });

  it('is prepared if another channel had made it before', async () => {
    const { isPrepared } = connectTo(real);
    real.state = READY;
    transport.listen(() => {});
    await Promise.resolve();
    expect(isPrepared()).toBe(true);
  });

  it('carries the health call for a service', () => {
    const paths: string[] = [];
    const stop = new Error('no call here');
    const createCall = (path: string): never => {
      paths.push(path);
      throw stop;
    };
    Object.assign(real, { getChannel: () => ({ createCall }) });
    const listener = { onAnswer() {}, onEnd() {} };
    expect(() => transport.watchHealth('user.User', listener)).toThrow(stop);
    expect(paths).toEqual(['/grpc.health.v1.Health/Watch']);
  });
});

describe('an attempt to connect', () => {
  it('begins when the transport is asked to connect', () => {
    transport.connect();
    expect(real.starts).toBe(1);
  });

  it('begins at once when resetBackoff() ends its backoff', () => {
    transport.resetBackoff();
    expect(real.backoffResets).toBe(1);
  });

  it('can be broken off only while an HTTP/2 handshake is under way', () => {
    expect(transport.breakOff()).toBe(true);
    expect(real.session.destroyed).toBe(true);
    real.connector.session = null;
    expect(transport.breakOff()).toBe(false);
  });
});

describe('a released transport', () => {
  it('drops its reference to the subchannel, and reports nothing more', () => {
    const reported: string[] = [];
    transport.listen((state) => reported.push(state));
    expect(real.refs).toBe(1);
    transport.release();
    expect([real.refs, real.listenerCount]).toEqual([0, 0]);
    real.become(READY);
    expect(reported).toEqual([]);
  });

  it('aborts the attempt under way, and no earlier one', () => {
    const first = dial();
    const second = dial();
    real.state = CONNECTING;
    transport.release();
    expect([first.aborted, second.aborted]).toEqual([false, true]);
  });

  it('does not abort an established connection, which may have calls', () => {
    const signal = dial();
    real.state = READY;
    transport.release();
    expect(signal.aborted).toBe(false);
  });

  it('does not abort an attempt that other channels wait for', () => {
    const signal = dial();
    const other = create(real);
    real.state = CONNECTING;
    transport.release();
    expect(signal.aborted).toBe(false);
    other.release();
    expect(signal.aborted).toBe(true);
  });

  it('aborts an attempt that gRPC begins later, as soon as it has begun', async () => {
    transport.release();
    const signal = dial();
    // A socket ignores a signal that is aborted from the start.
    expect(signal.aborted).toBe(false);
    await Promise.resolve();
    expect(signal.aborted).toBe(true);
  });
});
