/** What was found about the records of a lease, and what it makes of them. Pure, as the lease machine that it belongs to. */
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
} from './lease-record.js';

/** What a request found for one key. */
export type RecordObservation =
  | { readonly name: 'held' }
  | {
      readonly name: 'written';
      /** Another process's record that stood there. */
      readonly displaced: Rival | undefined;
      /** It stood there under our lease, with an older value. */
      readonly updated: boolean;
    }
  | {
      readonly name: 'foreign';
      readonly value: string;
      /** The lease it stands under; absent where it was gone again. */
      readonly leaseId?: string;
      /** It came between a look at the key and our write; else the key was only looked at. */
      readonly contested: boolean;
    }
  /** It is out. */
  | { readonly name: 'removed' }
  /** To be removed, and not ours: another process's record stands there, and was left alone. */
  | { readonly name: 'spared' };

/** What the meaning of an observation depends on. */
export interface RecordContext {
  readonly now: number;
  readonly random: Random;
  readonly backoff: BackoffPolicy;
  readonly leaseId: string;
  readonly ttlMs: number;
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
  const { value, wanted } = record;
  if (observation.name === 'removed' || observation.name === 'spared') {
    // Wanted again while the removal was in flight: it starts anew.
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
      const rival = withRival(rivalFrom(observation) ?? known);
      return become({ name: 'contested', contests: contests + 1, contestAt, ...rival }, [conflict]);
    }
    case 'written': {
      const { displaced } = observation;
      // What wrote it may be alive, and not have looked yet.
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

/** The process that wrote a foreign record, unless the record has no lease, or it says itself that its server leaves. */
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

/** How etcd writes that a key has no lease. */
const NO_LEASE = '0';

/**
 * How long a record has to be held until an old conflict is over, in milliseconds: longer than a rival takes to find out that it lost,
 * and to wait. Else both would begin anew for ever, without a pause.
 */
export function conflictMemoryMs({
  backoff,
  ttlMs,
}: Pick<RecordContext, 'backoff' | 'ttlMs'>): number {
  return 2 * backoff.capMs + ttlMs;
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

/** Whether the lease's end takes this record out. `seen`: what the request found that came before it. */
export function endsWithLease(
  { standing }: LeaseRecord,
  seen: RecordObservation | undefined,
): boolean {
  if (seen !== undefined) return seen.name === 'removed';
  return standing.name === 'held' || standing.name === 'missing';
}
