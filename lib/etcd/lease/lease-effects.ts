/**
 * Performs two effects of the lease machine in etcd: the sync of a lease with all its records, and the
 * revocation.
 */
import type { CancelTimer, Clock } from '../../core/clock.js';
import type { DiscoveryError } from '../../core/discovery-error.js';
import type { HoldRequest } from '../../core/lease/lease-record.js';
import type { LeaseEffect, LeaseEvent } from '../../core/lease/lease-types.js';
import type { RecordObservation } from '../../core/lease/record-observation.js';
import type { EtcdConnection } from '../connection/etcd-connection.js';
import { isUnavailable, LeaseGoneError, toDiscoveryError } from '../connection/etcd-error.js';
import { renewLease, revokeLease } from './lease-requests.js';
import { announceRemovals, type RecordOutcome, removeRecords } from './record-removal.js';
import { syncRecord } from './record-requests.js';

/** The share of the time for a revocation that the announcement of the removed records may use. */
const ANNOUNCE_SHARE = 0.5;

/**
 * Renews the lease and syncs its records at the same time, for two reasons. The lease must not run out
 * because etcd refuses a record. And a keepalive stream cannot replace an expired token; the requests for the
 * records can.
 *
 * @param at when the sync began, on the machine's clock
 */
export async function syncRecords(
  connection: EtcdConnection,
  { leaseId, renew, records }: Extract<LeaseEffect, { type: 'sync' }>,
  at: number,
): Promise<LeaseEvent> {
  const observations = new Map<string, RecordObservation>();
  const refusals = new Map<string, DiscoveryError>();
  const leaving = records.filter(({ mode }) => mode === 'remove');
  const staying = records.filter((record): record is HoldRequest => record.mode !== 'remove');
  const [renewed, removed, looked] = await Promise.all([
    settle(renew ? renewLease(connection, leaseId) : undefined),
    removeRecords(connection, leaseId, leaving),
    Promise.all(staying.map((record) => look(connection, leaseId, record))),
  ]);
  let failure = renewed.status === 'rejected' ? renewed.reason : undefined;
  for (const { records: asked, result } of [...removed, ...looked]) {
    if (result.status === 'fulfilled') {
      for (const [key, found] of result.value) observations.set(key, found);
      continue;
    }
    const { reason } = result;
    if (reason instanceof LeaseGoneError) return { type: 'lease-gone' };
    if (isUnavailable(reason)) failure ??= reason;
    else for (const { key } of asked) refusals.set(key, toDiscoveryError('registration', reason));
  }
  if (failure instanceof LeaseGoneError) return { type: 'lease-gone' };
  if (failure !== undefined) {
    const isRenewed = renew && renewed.status === 'fulfilled';
    const error = toDiscoveryError('registration', failure);
    return { type: 'failed', error, observations, ...(isRenewed ? { renewedAt: at } : {}) };
  }
  if (refusals.size > 0) return { type: 'refused', refusals, observations, at };
  return { type: 'synced', observations, at };
}

/**
 * Announces the removal of records and revokes the lease, within `withdrawalTimeoutMs`.
 *
 * @returns the observations of the records about which etcd answered in time
 */
export async function revokeRecords(
  connection: EtcdConnection,
  clock: Clock,
  { leaseId, records }: Extract<LeaseEffect, { type: 'revoke' }>,
): Promise<ReadonlyMap<string, RecordObservation>> {
  const totalMs = connection.withdrawalTimeoutMs;
  const endMs = clock.now() + totalMs;
  const observations = new Map<string, RecordObservation>();
  // The announcement may exceed its share, because an earlier deadline would do harm: when a request fails,
  // etcd3 drops every connection to the member.
  const announced = announceRemovals(connection, leaseId, records, totalMs).then((outcomes) => {
    for (const { result } of outcomes) {
      if (result.status === 'rejected') continue;
      for (const [key, found] of result.value) observations.set(key, found);
    }
  });
  let cancel: CancelTimer | undefined;
  const isLate = new Promise<void>((resolve) => {
    cancel = clock.setTimer(totalMs * ANNOUNCE_SHARE, resolve);
  });
  await Promise.race([announced, isLate]);
  cancel?.();
  // Revoke also after a failed announcement: otherwise the records stay until the lease runs out.
  await revokeLease(connection, leaseId, Math.max(1, endMs - clock.now()));
  return observations;
}

async function look(
  connection: EtcdConnection,
  leaseId: string,
  record: HoldRequest,
): Promise<RecordOutcome> {
  const found = syncRecord(connection, leaseId, record);
  const result = await settle(found.then((observation) => new Map([[record.key, observation]])));
  return { records: [record], result };
}

async function settle<T>(outcome: T | Promise<T>): Promise<PromiseSettledResult<Awaited<T>>> {
  const [result] = await Promise.allSettled([outcome]);
  return result as PromiseSettledResult<Awaited<T>>;
}
