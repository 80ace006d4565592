/** A real connection whose two members answer from memory, without a socket. */
import type { Etcd3 } from 'etcd3';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { EtcdConnection } from '../../../../lib/etcd/connection/etcd-connection.js';
import { FakeClock } from '../../../../lib/testing/fake-clock.js';

const AWAY = new Error('14 UNAVAILABLE: no connection');
const WRONG = new Error(
  '3 INVALID_ARGUMENT: etcdserver: authentication failed, invalid user ID or password',
);

const fail = (error: Error) => async () => {
  throw error;
};

function answer(member: Etcd3, authenticate: () => Promise<object>): void {
  Object.assign(member.auth, { authenticate });
}

describe('EtcdConnection, while the member in use refuses the password', () => {
  let clock: FakeClock;
  let connection: EtcdConnection;
  let members: readonly [Etcd3, Etcd3];

  const ask = () => connection.request('read', async (member) => members.indexOf(member));
  /** Fires the next timer: a retry of the password, or a probe. */
  const pass = async (): Promise<void> => {
    clock.advance(clock.nextTimerMs ?? Infinity);
    for (let turn = 0; turn < 10; turn++) await new Promise(setImmediate);
  };

  beforeEach(async () => {
    clock = new FakeClock();
    connection = new EtcdConnection(
      { hosts: ['http://a:1', 'http://b:1'], auth: { username: 'fleet', password: 'wrong' } },
      { clock, random: () => 0 },
    );
    const a = connection.member();
    connection.leave(a);
    members = [a, connection.member()];
    connection.leave(members[1]);
    for (const member of members) Object.assign(member.kv, { range: async () => ({}) });
    answer(a, fail(WRONG));
    answer(members[1], fail(AWAY));
    await expect(ask()).rejects.toThrow('REGISTRY_REJECTED');
  });
  afterEach(() => connection.close());

  it('the retry goes to the next member if the member in use dies', async () => {
    answer(members[0], fail(AWAY));
    answer(members[1], async () => ({ token: 'token' }));
    await pass();
    expect(await ask()).toBe(1);
  });

  it('the connection stays with a member that answers with a refusal', async () => {
    await pass();
    expect(connection.member()).toBe(members[0]);
    await expect(ask()).rejects.toThrow('authentication failed');
  });

  it('the connection counts etcd as away when no member answers, until a member answers again', async () => {
    answer(members[0], fail(AWAY));
    await pass();
    await expect(ask()).rejects.toThrow('REGISTRY_UNAVAILABLE');
    // A probe that this process refuses without asking etcd is not an answer.
    await connection.request('probe', async () => {}, 'always').catch(() => {});
    expect(connection.isDown).toBe(true);
    answer(members[0], fail(WRONG));
    for (let timer = 0; timer < 10 && connection.isDown; timer++) await pass();
    await expect(ask()).rejects.toThrow('REGISTRY_REJECTED');
  });
});
