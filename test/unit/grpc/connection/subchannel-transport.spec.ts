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

/** What `net.connect` reads of an address. */
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

/** As `net.connect` takes the address apart. */
const dial = (): AbortSignal => ({ ...dialled }).signal;

describe('a dialled transport', () => {
  it('has the address of its endpoint, and the options that make a connection', () => {
    expect(dialled).toMatchObject({ host: '10.0.0.1', port: 1 });
    expect(options).toEqual({ [SPARING_PINGS_OPTION]: 1 });
  });

  it('shares no subchannel with another attempt', () => {
    const first = options;
    create(real, 1);
    expect(options).not.toEqual(first);
  });

  it('does not dial an address that has no port', () => {
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
  ])('is that of the subchannel: %s is %s', (state, expected) => {
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

describe('an attempt to connect', () => {
  it('begins when the transport is asked to connect', () => {
    transport.connect();
    expect(real.starts).toBe(1);
  });

  it('begins without the rest of its backoff when that is ended', () => {
    transport.resetBackoff();
    expect(real.backoffResets).toBe(1);
  });

  it('is broken off where an HTTP/2 handshake is under way, and nowhere else', () => {
    expect(transport.breakOff()).toBe(true);
    expect(real.session.destroyed).toBe(true);
    real.connector.session = null;
    expect(transport.breakOff()).toBe(false);
  });
});

describe('a released transport', () => {
  it('gives its reference back, and reports nothing more', () => {
    const reported: string[] = [];
    transport.listen((state) => reported.push(state));
    expect(real.refs).toBe(1);
    transport.release();
    expect([real.refs, real.listenerCount]).toEqual([0, 0]);
    real.become(READY);
    expect(reported).toEqual([]);
  });

  it('ends the attempt under way, and no earlier one', () => {
    const first = dial();
    const second = dial();
    real.state = CONNECTING;
    transport.release();
    expect([first.aborted, second.aborted]).toEqual([false, true]);
  });

  it('leaves a connection that stands to the calls on it', () => {
    const signal = dial();
    real.state = READY;
    transport.release();
    expect(signal.aborted).toBe(false);
  });

  it('leaves an attempt to the other channels that wait for it', () => {
    const signal = dial();
    const other = create(real);
    real.state = CONNECTING;
    transport.release();
    expect(signal.aborted).toBe(false);
    other.release();
    expect(signal.aborted).toBe(true);
  });

  it('ends an attempt that gRPC begins later, as soon as it has begun', async () => {
    transport.release();
    const signal = dial();
    // A socket that is given an aborted signal connects all the same.
    expect(signal.aborted).toBe(false);
    await Promise.resolve();
    expect(signal.aborted).toBe(true);
  });
});
