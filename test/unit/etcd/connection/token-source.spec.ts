import { beforeEach, describe, expect, it } from 'vitest';
import { KnownRefusalError } from '../../../../lib/etcd/connection/etcd-error.js';
import { TokenSource } from '../../../../lib/etcd/connection/token-source.js';
import { FakeClock } from '../../../../lib/testing/fake-clock.js';

const WRONG = new Error(
  '3 INVALID_ARGUMENT: etcdserver: authentication failed, invalid user ID or password',
);
const OFF = new Error('9 FAILED_PRECONDITION: etcdserver: authentication is not enabled');
const AWAY = new Error('14 UNAVAILABLE: no connection');

let clock: FakeClock;
let asked: string[];
let answer: () => string;
let unused: number;
let accepted: number;
let source: TokenSource<string>;

async function settled(): Promise<void> {
  for (let turn = 0; turn < 5; turn++) await new Promise(setImmediate);
}

beforeEach(() => {
  clock = new FakeClock();
  asked = [];
  unused = 0;
  accepted = 0;
  answer = () => `token-${asked.length}`;
  source = new TokenSource<string>({
    clock,
    random: () => 0.999,
    authenticate: async (member) => {
      asked.push(member);
      return answer();
    },
    inTurn: (ask) => ask('a'),
    onUnused: () => unused++,
  });
  source.accepted$.subscribe(() => accepted++);
});

const fail = (error: Error) => () => {
  throw error;
};

describe('TokenSource', () => {
  it('asks for one token for all requests and members', async () => {
    const both = await Promise.all([source.get('a'), source.get('a')]);
    expect(both).toEqual(['token-1', 'token-1']);
    expect(await source.get('b')).toBe('token-1');
    expect(asked).toEqual(['a']);
  });

  it('replaces a rejected token once, however many requests report it', async () => {
    await source.get('a');
    source.discard('token-1');
    expect(await source.get('b')).toBe('token-2');
    source.discard('token-1');
    expect(await source.get('b')).toBe('token-2');
    expect(asked).toEqual(['a', 'b']);
  });

  it('asks the next member for a token if one does not answer', async () => {
    answer = fail(AWAY);
    await expect(source.get('a')).rejects.toBe(AWAY);
    answer = () => 'token';
    expect(await source.get('b')).toBe('token');
    expect(clock.pendingTimers).toBe(0);
  });
});

describe('TokenSource, while authentication is off', () => {
  beforeEach(async () => {
    answer = fail(OFF);
    await source.get('a');
  });

  it('requests go out without a token, and one event reports that authentication is off', async () => {
    expect(await source.get('a')).toBeUndefined();
    expect(asked).toHaveLength(1);
    source.discard(undefined);
    expect(await source.get('a')).toBeUndefined();
    expect({ asked: asked.length, unused }).toEqual({ asked: 2, unused: 1 });
  });

  it('if etcd refuses a request without a token, the next request gets a token; if authentication is off again, another event reports it', async () => {
    answer = () => 'token';
    source.discard(undefined);
    expect(await source.get('a')).toBe('token');
    answer = fail(OFF);
    source.discard('token');
    expect(await source.get('a')).toBeUndefined();
    expect(unused).toBe(2);
  });
});

describe('TokenSource, after a refused password', () => {
  beforeEach(async () => {
    answer = fail(WRONG);
    await expect(source.get('a')).rejects.toBe(WRONG);
  });

  it('requests fail at once and do not send the password again', async () => {
    const known = new KnownRefusalError(WRONG.message, { cause: WRONG });
    for (let request = 0; request < 100; request++) {
      await expect(source.get('b')).rejects.toThrow(known);
    }
    source.discard(undefined);
    await expect(source.get('b')).rejects.toThrow(known);
    expect(asked).toHaveLength(1);
  });

  it('retries come with growing delays, and at least every 5 s', async () => {
    const times: number[] = [];
    answer = () => {
      times.push(clock.now());
      throw WRONG;
    };
    for (let retry = 0; retry < 20; retry++) {
      clock.advance(clock.nextTimerMs ?? Infinity);
      await settled();
    }
    const gaps = times.slice(1).map((time, index) => time - (times[index] ?? 0));
    expect(gaps[0]).toBeLessThan(1_000);
    expect(Math.min(...gaps.slice(4))).toBeGreaterThan(3_000);
    expect(Math.max(...gaps)).toBeLessThan(4_000);
  });

  it('a corrected password is accepted with the next retry, and accepted$ fires', async () => {
    answer = () => 'token';
    clock.advance(clock.nextTimerMs ?? Infinity);
    await settled();
    expect(accepted).toBe(1);
    expect(await source.get('a')).toBe('token');
    expect(clock.pendingTimers).toBe(0);
  });

  it('retries go on while etcd is away in between', async () => {
    answer = fail(AWAY);
    clock.advance(clock.nextTimerMs ?? Infinity);
    await settled();
    answer = () => 'token';
    clock.advance(clock.nextTimerMs ?? Infinity);
    await settled();
    expect(accepted).toBe(1);
  });

  it('no retry comes after close', async () => {
    source.close();
    expect(clock.pendingTimers).toBe(0);
  });
});
