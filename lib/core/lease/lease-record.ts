/**
 * One record held under a lease: its standing, and what to ask the registry about it.
 * Pure; the lease machine steps all records of a lease together.
 */
import type { DiscoveryError } from '../discovery-error.js';
import type { RegistrationEvent } from '../discovery-event.js';

/**
 * The standing of a record:
 * - `unwritten`: we never wrote it; a record found under its key is taken over.
 * - `held`: the last request found it with our value and our lease.
 * - `missing`: it was ours, and is known or presumed to be gone, or to have another value than the wanted one.
 * - `contested`: another process wrote it; we write it again at `contestAt` at the earliest.
 */
export type RecordStanding =
  | { readonly name: 'unwritten' }
  | {
      readonly name: 'held';
      readonly contests: number;
      readonly since: number;
      readonly rival?: Rival;
    }
  | { readonly name: 'missing'; readonly contests: number; readonly rival?: Rival }
  | {
      readonly name: 'contested';
      readonly contests: number;
      readonly contestAt: number;
      readonly rival?: Rival;
    };

/** Another process that claims our key: the value it wrote there, and the lease it wrote that under. */
export interface Rival {
  readonly leaseId: string;
  readonly value: string;
}

/** A record as the machine knows it. */
export interface LeaseRecord {
  readonly value: string;
  /** False: the caller wants it removed. */
  readonly wanted: boolean;
  readonly standing: RecordStanding;
  /** `record-refused` was emitted, and the record was not accepted since. */
  readonly refused?: true;
}

/** The records of one lease by key. */
export type LeaseRecords = ReadonlyMap<string, LeaseRecord>;

/**
 * Records by key that our lease gave up because another process had written them. That process may leave in its turn
 * and give the record back to our lease, which other records keep alive; each keepalive removes such a record.
 * `value`: what we wrote last. `until`: when it can no longer come back, in milliseconds of the machine's clock.
 */
export type SparedRecords = ReadonlyMap<string, { readonly value: string; readonly until: number }>;

/** What to do about one key in a sync. */
export interface RecordRequest {
  readonly key: string;
  readonly value: string;
  /**
   * - `verify`: keep it if it is ours and right; write it if it is missing, or ours with another value; report it if
   *   it is another process's.
   * - `claim`: as `verify`, but also overwrite another process's record.
   * - `remove`: delete it if it is ours.
   */
  readonly mode: 'verify' | 'claim' | 'remove';
  /** In mode `remove`: the process that gets the record instead of a deletion, because it claims the key too. */
  readonly heir?: Rival;
}

/** A request that keeps the record in the registry. */
export type HoldRequest = RecordRequest & { readonly mode: 'verify' | 'claim' };

/** What a sync asks about each record. */
export function recordRequests(records: LeaseRecords, now: number): RecordRequest[] {
  return [...records].map(([key, record]) => {
    const { value, wanted, standing } = record;
    if (!wanted) return removalRequest(key, record);
    return { key, value, mode: isClaimDue(standing, now) ? 'claim' : 'verify' };
  });
}

/**
 * The removal of every record. It includes records that count as unwritten: their first write may be in flight, and a
 * removal spares records of other processes.
 */
export function removalRequests(records: LeaseRecords): RecordRequest[] {
  return [...records].map(([key, record]) => removalRequest(key, record));
}

function removalRequest(key: string, { value, standing }: LeaseRecord): RecordRequest {
  const heir = rivalOf(standing);
  return { key, value, mode: 'remove', ...(heir === undefined ? {} : { heir }) };
}

/** The removals of spared records that may have come back. A key that is among `records` again is not removed. */
export function sparedRequests(spared: SparedRecords, records: LeaseRecords): RecordRequest[] {
  return [...spared]
    .filter(([key]) => !records.has(key))
    .map(([key, { value }]) => ({ key, value, mode: 'remove' }));
}

/** The other process that claims the key, if one is known. */
export function rivalOf(standing: RecordStanding): Rival | undefined {
  return standing.name === 'unwritten' ? undefined : standing.rival;
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

/** The records under a lease of `ttlMs` after the registry refused some of them, by key, and the events to emit. */
export function refuseRecords(
  records: LeaseRecords,
  refusals: ReadonlyMap<string, DiscoveryError>,
  retryInMs: number,
  ttlMs: number,
): { readonly records: LeaseRecords; readonly events: readonly RegistrationEvent[] } {
  const after = new Map(records);
  const events: RegistrationEvent[] = [];
  for (const [key, error] of refusals) {
    const record = records.get(key);
    if (record === undefined) continue;
    // The registry may still have an older value: `registered` is emitted once it has the wanted one.
    after.set(key, { ...record, standing: missing(record), refused: true });
    const removal = record.wanted ? {} : { removalTtlMs: ttlMs };
    if (record.refused !== true) {
      events.push({ type: 'record-refused', key, error, retryInMs, ...removal });
    }
  }
  return { records: after, events };
}

/** The records during an outage of the registry: the next refusal of each is reported again. */
export function forgetRefusals(records: LeaseRecords): LeaseRecords {
  return new Map(
    [...records].map(([key, { value, wanted, standing }]) => [key, { value, wanted, standing }]),
  );
}

/** The records after their lease should have expired, while the registry does not answer. */
export function recordsPresumedGone(records: LeaseRecords): LeaseRecords {
  return new Map(
    [...records].map(([key, record]) => [key, { ...record, standing: missing(record) }]),
  );
}

/**
 * A record that the caller wants from now on, with this value. After an unfinished removal the record may be deleted or
 * marked as draining: it counts as missing, so that `registered` is emitted once it is in place again.
 */
export function wantedRecord(known: LeaseRecord | undefined, value: string): LeaseRecord {
  if (known === undefined) return { value, wanted: true, standing: { name: 'unwritten' } };
  return { value, wanted: true, standing: known.wanted ? known.standing : missing(known) };
}

/** The records after the caller asked to remove some of them, by key. */
export function unwantedRecords(records: LeaseRecords, keys: readonly string[]): LeaseRecords {
  const after = new Map(records);
  for (const key of keys) {
    const known = records.get(key);
    if (known !== undefined) after.set(key, { ...known, wanted: false });
  }
  return after;
}

function missing({ standing }: LeaseRecord): RecordStanding {
  if (standing.name !== 'held') return standing;
  const { contests, rival } = standing;
  return { name: 'missing', contests, ...(rival === undefined ? {} : { rival }) };
}

/** The records after their lease ended: the registry deleted them, so only the wanted ones remain, as missing. */
export function recordsAfterLease(records: LeaseRecords): LeaseRecords {
  const remaining = new Map<string, LeaseRecord>();
  for (const [key, record] of records) {
    if (record.wanted) remaining.set(key, { ...record, standing: missing(record) });
  }
  return remaining;
}
