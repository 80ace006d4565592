import { expect, it } from 'vitest';
import { DiscoveryError } from '../../../../lib/core/discovery-error.js';
import type { EtcdConnection } from '../../../../lib/etcd/connection/etcd-connection.js';
import { LeaseGoneError, MalformedReplyError } from '../../../../lib/etcd/connection/etcd-error.js';
import { grantLease, renewLease, revokeLease } from '../../../../lib/etcd/lease/lease-requests.js';
import { FakeEtcd } from '../fake-etcd.js';

it('a grant returns the lease and its time to live, in milliseconds', async () => {
  const etcd = new FakeEtcd();
  const { leaseId, ttlMs } = await grantLease(etcd.connection, 7);
  expect(etcd.leases.has(leaseId)).toBe(true);
  expect(ttlMs).toBe(7_000);
});

it('a renewal succeeds for a lease that exists, and throws LeaseGoneError for a lease that does not exist', async () => {
  const etcd = new FakeEtcd();
  const lease = etcd.grant();
  await renewLease(etcd.connection, lease);
  etcd.drop(lease);
  await expect(renewLease(etcd.connection, lease)).rejects.toBeInstanceOf(LeaseGoneError);
});

it('a revocation deletes the keys, and succeeds for a lease that is gone', async () => {
  const etcd = new FakeEtcd();
  const lease = etcd.grant();
  etcd.put('api/h:1', 'x', lease);
  await revokeLease(etcd.connection, lease);
  expect(etcd.records.size).toBe(0);
  await revokeLease(etcd.connection, lease);
});

it('a revocation that etcd does not answer is an error', async () => {
  const etcd = new FakeEtcd();
  const away = new DiscoveryError('REGISTRY_UNAVAILABLE', 'away');
  etcd.before = () => {
    throw away;
  };
  await expect(revokeLease(etcd.connection, etcd.grant())).rejects.toBe(away);
});

it.each([
  ['has no ID', { ID: '0', TTL: '7' }],
  ['has a time to live of 0', { ID: '7', TTL: '0' }],
  ['has a negative time to live', { ID: '7', TTL: '-1' }],
  ['has no time to live', { ID: '7' }],
])('a granted lease that %s is refused', async (_, reply) => {
  await expect(grantLease(answering('leaseGrant', reply), 7)).rejects.toBeInstanceOf(
    MalformedReplyError,
  );
});

it('a lease that is granted forever is kept like one of a day', async () => {
  const reply = { ID: '7', TTL: '9223372036854775807' };
  const { ttlMs } = await grantLease(answering('leaseGrant', reply), 7);
  expect(ttlMs).toBe(86_400_000);
});

/** A connection to a member that answers this method in this way. */
function answering(method: string, reply: object): EtcdConnection {
  const member = { leaseClient: { [method]: async () => reply } };
  const request = (_: string, run: (member: object, options: object) => Promise<unknown>) =>
    run(member, {});
  return { request } as unknown as EtcdConnection;
}
