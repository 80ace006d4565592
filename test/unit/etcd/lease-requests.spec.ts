import { expect, it } from 'vitest';
import { DiscoveryError } from '../../../lib/core/discovery-error.js';
import { LeaseGoneError } from '../../../lib/etcd/etcd-error.js';
import { grantLease, renewLease, revokeLease } from '../../../lib/etcd/lease-requests.js';
import { FakeEtcd } from './fake-etcd.js';

it('a grant gives the lease and the time to live that was granted, in milliseconds', async () => {
  const etcd = new FakeEtcd();
  const { leaseId, ttlMs } = await grantLease(etcd.connection, 7);
  expect(etcd.leases.has(leaseId)).toBe(true);
  expect(ttlMs).toBe(7_000);
});

it('a lease that lives is renewed, one that does not is gone', async () => {
  const etcd = new FakeEtcd();
  const lease = etcd.grant();
  await renewLease(etcd.connection, lease);
  etcd.drop(lease);
  await expect(renewLease(etcd.connection, lease)).rejects.toBeInstanceOf(LeaseGoneError);
});

it('a revocation takes the keys with it, and one of a lease that is gone is done', async () => {
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
