/**
 * One record held under a lease: how it stands, what to ask the registry about it, and what an answer means.
 * Pure; the lease machine steps all records of a lease together.
 */
import { type BackoffPolicy, backoffDelayMs } from './backoff.js';
import type { Random } from './clock.js';
import type { RegistrationEvent } from './discovery-event.js';

/**
 * How a record stands:
 * - `unwritten`: never written by us; a record found under its key is taken over.
 * - `held`: was there with our value and our lease when last looked at.
 * - `missing`: was ours, and is known or presumed to be gone.
 * - `contested`: another process wrote it; written again no earlier than `contestAt`.
 */
export type RecordStanding =
  | { readonly name: 'unwritten' }
  | { readonly name: 'held'; readonly contests: number; readonly since: number }
  | { readonly name: 'missing'; readonly contests: number }
  | {
      readonly name: 'contested';
      readonly contests: number;
      readonly contestAt: number;
    };

/** A record as the machine knows it. */
export interface LeaseRecord {
  readonly value: string;
  /** False once it is to be taken out. */
  readonly wanted: boolean;
  readonly standing: RecordStanding;
}

/** The records of one lease by key. */
export type LeaseRecords = ReadonlyMap<string, LeaseRecord>;

/** What a request found for one key. */
export type RecordObservation =
  | { readonly name: 'held' }
  | {
      readonly name: 'written';
      /** Another process's value that stood there. */
      readonly displaced: string | undefined;
      /** It stood there under our lease, with an older value. */
      readonly updated: boolean;
    }
  | {
      readonly name: 'foreign';
      readonly value: string;
      /** It came between a look at the key and our write; else the key was only looked at. */
      readonly contested: boolean;
    }
  | { readonly name: 'removed' };

/** What to do about one key in a sync. */
export interface RecordRequest {
  readonly key: string;
  readonly value: string;
  /**
   * - `verify`: leave it when it is ours and right; write it when it is missing or ours with another value; report it when
   *   it is another process's.
   * - `claim`: as `verify`, but write it over another process's record too.
   * - `remove`: delete it when it is ours.
   */
  readonly mode: 'verify' | 'claim' | 'remove';
}

/** What the meaning of an observation depends on. */
export interface RecordContext {
  readonly now: number;
  readonly random: Random;
  readonly backoff: BackoffPolicy;
  readonly leaseId: string;
  readonly ttlMs: number;
}

/** What a sync asks about each record. */
export function recordRequests(records: LeaseRecords, now: number): RecordRequest[] {
  return [...records].map(([key, { value, wanted, standing }]) => {
    if (!wanted) return { key, value, mode: 'remove' };
    return { key, value, mode: isClaimDue(standing, now) ? 'claim' : 'verify' };
  });
}

/** The removals that are due when all records go. */
export function removalRequests(records: LeaseRecords): RecordRequest[] {
  return [...records].flatMap(([key, { value, standing }]) =>
    standing.name === 'unwritten' ? [] : [{ key, value, mode: 'remove' }],
  );
}

/** Whether a record needs a request before the next keepalive. */
export function isRecordDue({ wanted, standing }: LeaseRecord, now: number): boolean {
  if (!wanted || standing.name === 'missing') return true;
  return isClaimDue(standing, now);
}

function isClaimDue(standing: RecordStanding, now: number): boolean {
  return (
    standing.name === 'unwritten' || (standing.name === 'contested' && standing.contestAt <= now)
  );
}

/** The record after it was looked at (`undefined`: it is out), and what to tell. */
export function observeRecord(
  key: string,
  record: LeaseRecord,
  observation: RecordObservation,
  context: RecordContext,
): {
  readonly record: LeaseRecord | undefined;
  readonly events: readonly RegistrationEvent[];
} {
  if (observation.name === 'removed') {
    // Wanted again while the removal was in flight: it starts anew.
    const again: LeaseRecord = { ...record, standing: { name: 'unwritten' } };
    return {
      record: record.wanted ? again : undefined,
      events: [{ type: 'deregistered', key }],
    };
  }
  const before = record.standing;
  const contests = before.name === 'unwritten' ? 0 : before.contests;
  const become = (standing: RecordStanding, events: readonly RegistrationEvent[]) => ({
    record: { ...record, standing },
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
      // Held for a whole time to live: an old conflict is over.
      const settled = context.now - since >= context.ttlMs;
      const standing: RecordStanding = {
        name: 'held',
        contests: settled ? 0 : contests,
        since,
      };
      return become(standing, before.name === 'held' ? [] : [registered]);
    }
    case 'foreign': {
      // Only looked at again: it is known, and keepalives must not put off the next attempt.
      if (before.name === 'contested' && !observation.contested) return become(before, []);
      const delayMs =
        contests === 0 ? 0 : backoffDelayMs(context.backoff, contests, context.random);
      const contestAt = context.now + delayMs;
      const conflict: RegistrationEvent = {
        type: 'conflict',
        key,
        foreignValue: observation.value,
      };
      return become({ name: 'contested', contests: contests + 1, contestAt }, [conflict]);
    }
    case 'written': {
      const standing: RecordStanding = {
        name: 'held',
        contests,
        since: context.now,
      };
      if (before.name === 'held') {
        return become(standing, observation.updated ? [] : [{ type: 'record-restored', key }]);
      }
      if (before.name !== 'unwritten' || observation.displaced === undefined) {
        return become(standing, [registered]);
      }
      const { displaced } = observation;
      return become(standing, [
        { type: 'record-taken-over', key, previousValue: displaced },
        registered,
      ]);
    }
  }
}

/** All records after some of them were looked at, and what to tell. */
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

/** The records when their lease should have run out, and the registry does not say. */
export function recordsPresumedGone(records: LeaseRecords): LeaseRecords {
  return new Map(
    [...records].map(([key, record]) => [key, { ...record, standing: missing(record) }]),
  );
}

/**
 * A record that is wanted from now on, with this value. One that was to be taken out may be so already, or say that its server
 * leaves: it counts as missing, so that it is told when it is in place.
 */
export function wantedRecord(known: LeaseRecord | undefined, value: string): LeaseRecord {
  if (known === undefined) return { value, wanted: true, standing: { name: 'unwritten' } };
  return { value, wanted: true, standing: known.wanted ? known.standing : missing(known) };
}

function missing({ standing }: LeaseRecord): RecordStanding {
  return standing.name === 'held' ? { name: 'missing', contests: standing.contests } : standing;
}

/** The records when their lease is gone: the registry deleted them with it. */
export function recordsAfterLease(records: LeaseRecords): LeaseRecords {
  const remaining = new Map<string, LeaseRecord>();
  for (const [key, record] of records) {
    if (record.wanted) remaining.set(key, { ...record, standing: missing(record) });
  }
  return remaining;
}
