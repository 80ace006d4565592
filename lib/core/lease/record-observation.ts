/** What a request found about the records of a lease, and how that changes their standing. Pure. */
import { type BackoffPolicy, backoffDelayMs } from '../backoff.js';
import type { Random } from '../clock.js';
import type { RegistrationEvent } from '../discovery-event.js';
import { isDraining } from '../records/endpoint.js';
import { decodeEndpoint } from '../records/endpoint-codec.js';
import {
  type LeaseRecord,
  type LeaseRecords,
  type RecordStanding,
  type Rival,
  rivalOf,
  type SparedRecords,
} from './lease-record.js';

/** What a request found under the key of one record. */
export type RecordObservation =
  | { readonly name: 'held' }
  | {
      readonly name: 'written';
      /** The record of another process that ours replaced. */
      readonly displaced: Rival | undefined;
      /** True: our record replaced an older value of its own, under our lease. */
      readonly updated: boolean;
    }
  | {
      readonly name: 'foreign';
      readonly value: string;
      /** The lease of the other process's record; absent if that record was deleted meanwhile. */
      readonly leaseId?: string;
      /** True: we tried to write the key, and lost. False: we only read the key. */
      readonly contested: boolean;
    }
  /** Our record was deleted. */
  | { readonly name: 'removed' }
  /** We wanted to remove our record, found the record of another process, and kept it. */
  | { readonly name: 'spared' };

/** What the meaning of an observation depends on, besides the record. */
interface RecordContext {
  readonly now: number;
  readonly random: Random;
  readonly backoff: BackoffPolicy;
  readonly leaseId: string;
  readonly ttlMs: number;
}

/** The record after an observation (`undefined`: the record was removed), and the events to emit. */
function observeRecord(
  key: string,
  record: LeaseRecord,
  observation: RecordObservation,
  context: RecordContext,
): {
  readonly record: LeaseRecord | undefined;
  readonly events: readonly RegistrationEvent[];
} {
  const { value, wanted } = record;
  if (observation.name === 'removed' || observation.name === 'spared') {
    // After the removal was sent, the caller wanted the record again: the record starts anew, as `unwritten`.
    const again: LeaseRecord = { value, wanted, standing: { name: 'unwritten' } };
    return {
      record: wanted ? again : undefined,
      events: observation.name === 'removed' ? [{ type: 'deregistered', key }] : [],
    };
  }
  const before = record.standing;
  const contests = before.name === 'unwritten' ? 0 : before.contests;
  const known = rivalOf(before);
  const become = (standing: RecordStanding, events: readonly RegistrationEvent[]) => ({
    record: { value, wanted, standing },
    events,
  });
  const registered: RegistrationEvent = {
    type: 'registered',
    key,
    leaseId: context.leaseId,
  };
  switch (observation.name) {
    case 'held': {
      const since = before.name === 'held' ? before.since : context.now;
      const settled = context.now - since >= conflictMemoryMs(context);
      const standing: RecordStanding = {
        name: 'held',
        contests: settled ? 0 : contests,
        since,
        ...withRival(settled ? undefined : known),
      };
      return become(standing, before.name === 'held' ? [] : [registered]);
    }
    case 'foreign': {
      // A keepalive reads a known conflict again: that must not delay our next attempt to write the record.
      if (before.name === 'contested' && !observation.contested) return become(before, []);
      const delayMs =
        contests === 0 ? 0 : backoffDelayMs(context.backoff, contests, context.random);
      const contestAt = context.now + delayMs;
      const conflict: RegistrationEvent = {
        type: 'conflict',
        key,
        foreignValue: observation.value,
      };
      const rival = withRival(rivalFrom(observation) ?? known);
      return become({ name: 'contested', contests: contests + 1, contestAt, ...rival }, [conflict]);
    }
    case 'written': {
      const { displaced } = observation;
      // The process whose record was replaced may be alive, and may not have noticed yet.
      const rival = (displaced && rivalFrom(displaced)) ?? known;
      const standing: RecordStanding = {
        name: 'held',
        contests,
        since: context.now,
        ...withRival(rival),
      };
      if (before.name === 'held') {
        return become(standing, observation.updated ? [] : [{ type: 'record-restored', key }]);
      }
      if (before.name !== 'unwritten' || displaced === undefined) {
        return become(standing, [registered]);
      }
      return become(standing, [
        { type: 'record-taken-over', key, previousValue: displaced.value },
        registered,
      ]);
    }
  }
}

function withRival(rival: Rival | undefined): { readonly rival?: Rival } {
  return rival === undefined ? {} : { rival };
}

/**
 * The process that wrote a foreign record; `undefined`: the record has no lease, is no endpoint, or is
 * draining.
 */
function rivalFrom({
  value,
  leaseId = NO_LEASE,
}: {
  readonly value: string;
  readonly leaseId?: string;
}): Rival | undefined {
  const decoded = decodeEndpoint(value);
  if (leaseId === NO_LEASE || !decoded.ok || isDraining(decoded.endpoint)) return undefined;
  return { leaseId, value };
}

/** The lease id that etcd reports for a key without a lease. */
const NO_LEASE = '0';

/**
 * How long our record has to be held until an old conflict is over, in milliseconds. It is longer than a
 * rival needs to notice that it lost and to back off; with a shorter time both processes would restart the
 * conflict without backoff.
 */
function conflictMemoryMs({ backoff, ttlMs }: Pick<RecordContext, 'backoff' | 'ttlMs'>): number {
  return 2 * backoff.capMs + ttlMs;
}

/** All records after a request observed some of them, and the events to emit. */
export function observeRecords(
  records: LeaseRecords,
  observations: ReadonlyMap<string, RecordObservation>,
  lease: { readonly id: string; readonly ttlMs: number },
  context: Omit<RecordContext, 'leaseId' | 'ttlMs'>,
): { readonly records: LeaseRecords; readonly events: readonly RegistrationEvent[] } {
  const after = new Map<string, LeaseRecord>();
  const events: RegistrationEvent[] = [];
  for (const [key, record] of records) {
    const observation = observations.get(key);
    if (observation === undefined) {
      after.set(key, record);
      continue;
    }
    const { now, random, backoff } = context;
    const { id: leaseId, ttlMs } = lease;
    const seen = { now, random, backoff, leaseId, ttlMs };
    const observed = observeRecord(key, record, observation, seen);
    if (observed.record !== undefined) after.set(key, observed.record);
    events.push(...observed.events);
  }
  return { records: after, events };
}

/**
 * The spared records after a request. If another process held a record when we removed ours, the record is
 * spared until that process has forgotten our claim: for the time for which a conflict is remembered, and one
 * time to live more, because the other process forgets with one of its keepalives.
 */
export function spareRecords(
  { spared, records }: { readonly spared: SparedRecords; readonly records: LeaseRecords },
  observations: ReadonlyMap<string, RecordObservation>,
  { ttlMs }: { readonly ttlMs: number },
  { now, backoff }: Pick<RecordContext, 'now' | 'backoff'>,
): SparedRecords {
  const until = now + conflictMemoryMs({ backoff, ttlMs }) + ttlMs;
  const after = new Map([...spared].filter(([, record]) => record.until > now));
  for (const [key, { value, wanted }] of records) {
    if (!wanted && observations.get(key)?.name === 'spared') after.set(key, { value, until });
  }
  return after;
}

/** Whether the end of the lease removes a record. `seen`: what the request found before the revocation. */
export function endsWithLease(
  { standing }: LeaseRecord,
  seen: RecordObservation | undefined,
): boolean {
  if (seen !== undefined) return seen.name === 'removed';
  return standing.name === 'held' || standing.name === 'missing';
}
