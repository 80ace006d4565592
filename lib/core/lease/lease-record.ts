/**
 * One record under a lease: its standing, and the requests about it. Pure; the lease machine steps all
 * records of a lease together.
 */
import type { DiscoveryError } from '../discovery-error.js';
import type { RegistrationEvent } from '../discovery-event.js';

/**
 * The standing of a record in the registry:
 * - `unwritten`: we never wrote the record; another record found under its key is taken over.
 * - `held`: the last request found the record with our value, under our lease.
 * - `missing`: the record was ours, and is known or presumed to be gone or to have an outdated value.
 * - `contested`: another process wrote the key; we write the record again at `contestAt` at the earliest.
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

/** A record as the lease machine knows it. */
export interface LeaseRecord {
  readonly value: string;
  /** False: the caller wants the record removed. */
  readonly wanted: boolean;
  readonly standing: RecordStanding;
  /** Present: `record-refused` was emitted, and the registry has not accepted the record since. */
  readonly refused?: true;
}

/** The records of one lease by key. */
export type LeaseRecords = ReadonlyMap<string, LeaseRecord>;

/**
 * Records by key that our lease gave up because another process had written them. When that process leaves,
 * it may give such a record back to our lease, which lives on for other records. So each keepalive of our
 * lease also removes these records. `value`: what we wrote last. `until`: when the record can no longer come
 * back, in milliseconds of the machine's clock.
 */
export type SparedRecords = ReadonlyMap<string, { readonly value: string; readonly until: number }>;

/** What a sync is to do about one key. */
export interface RecordRequest {
  readonly key: string;
  readonly value: string;
  /**
   * - `verify`: keep the record if it is ours and right; write it if it is missing, or ours with another
   *   value; report it if another process wrote it.
   * - `claim`: as `verify`, but also overwrite the record of another process.
   * - `remove`: delete the record if it is ours.
   */
  readonly mode: 'verify' | 'claim' | 'remove';
  /**
   * In mode `remove`: another process that claims the key. The record is given to that process and not
   * deleted.
   */
  readonly heir?: Rival;
}

/** A request that keeps a record in the registry. */
export type HoldRequest = RecordRequest & { readonly mode: 'verify' | 'claim' };

/** The requests of a sync, one for each record. */
export function recordRequests(records: LeaseRecords, now: number): RecordRequest[] {
  return [...records].map(([key, record]) => {
    const { value, wanted, standing } = record;
    if (!wanted) return removalRequest(key, record);
    return { key, value, mode: isClaimDue(standing, now) ? 'claim' : 'verify' };
  });
}

/**
 * Requests that remove every record, also records that count as unwritten: their first write may be in
 * flight. A removal does not touch records of other processes.
 */
export function removalRequests(records: LeaseRecords): RecordRequest[] {
  return [...records].map(([key, record]) => removalRequest(key, record));
}

function removalRequest(key: string, { value, standing }: LeaseRecord): RecordRequest {
  const heir = rivalOf(standing);
  return { key, value, mode: 'remove', ...(heir === undefined ? {} : { heir }) };
}

/** Requests that remove spared records which may have come back, except those whose key is wanted again. */
export function sparedRequests(spared: SparedRecords, records: LeaseRecords): RecordRequest[] {
  return [...spared]
    .filter(([key]) => !records.has(key))
    .map(([key, { value }]) => ({ key, value, mode: 'remove' }));
}

/** The other process that claims the key of a record, if such a process is known. */
export function rivalOf(standing: RecordStanding): Rival | undefined {
  return standing.name === 'unwritten' ? undefined : standing.rival;
}

/** Whether a record needs a request before the next keepalive of its lease. */
export function isRecordDue({ wanted, standing }: LeaseRecord, now: number): boolean {
  if (!wanted || standing.name === 'missing') return true;
  return isClaimDue(standing, now);
}

function isClaimDue(standing: RecordStanding, now: number): boolean {
  return (
    standing.name === 'unwritten' || (standing.name === 'contested' && standing.contestAt <= now)
  );
}

/**
 * Marks the records that the registry refused. `refusals`: the errors by key. `ttlMs`: the time to live of
 * the lease. Returns all records, and the events to emit.
 */
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
    // The registry may still have an older value: `registered` is emitted once it has the wanted value.
    after.set(key, { ...record, standing: missing(record), refused: true });
    const removal = record.wanted ? {} : { removalTtlMs: ttlMs };
    if (record.refused !== true) {
      events.push({ type: 'record-refused', key, error, retryInMs, ...removal });
    }
  }
  return { records: after, events };
}

/**
 * Forgets which records were refused, because an outage began: the next refusal of each record is reported
 * again.
 */
export function forgetRefusals(records: LeaseRecords): LeaseRecords {
  return new Map(
    [...records].map(([key, { value, wanted, standing }]) => [key, { value, wanted, standing }]),
  );
}

/** Marks the records as missing, because an outage lasted longer than the time to live of their lease. */
export function recordsPresumedGone(records: LeaseRecords): LeaseRecords {
  return new Map(
    [...records].map(([key, record]) => [key, { ...record, standing: missing(record) }]),
  );
}

/**
 * A record that the caller wants from now on, with this value. After an unfinished removal the record may be
 * deleted or marked as draining: it counts as missing, so that `registered` is emitted once it is in place
 * again.
 */
export function wantedRecord(known: LeaseRecord | undefined, value: string): LeaseRecord {
  if (known === undefined) return { value, wanted: true, standing: { name: 'unwritten' } };
  return { value, wanted: true, standing: known.wanted ? known.standing : missing(known) };
}

/** Marks the records that the caller asked to remove, by key. */
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

/**
 * The records after the end of their lease. The registry has deleted them all: wanted records are missing,
 * all others are done.
 */
export function recordsAfterLease(records: LeaseRecords): LeaseRecords {
  const remaining = new Map<string, LeaseRecord>();
  for (const [key, record] of records) {
    if (record.wanted) remaining.set(key, { ...record, standing: missing(record) });
  }
  return remaining;
}
