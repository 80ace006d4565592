/**
 * One record held under a lease: how it stands, and what to ask the registry about it.
 * Pure; the lease machine steps all records of a lease together.
 */
import type { DiscoveryError } from '../discovery-error.js';
import type { RegistrationEvent } from '../discovery-event.js';

/**
 * How a record stands:
 * - `unwritten`: never written by us; a record found under its key is taken over.
 * - `held`: was there with our value and our lease when last looked at.
 * - `missing`: was ours, and is known or presumed to be gone, or not to say what it should.
 * - `contested`: another process wrote it; written again no earlier than `contestAt`.
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

/** Another process that claims our key: what it wrote there, before us or while we held it, and the lease it wrote that under. */
export interface Rival {
  readonly leaseId: string;
  readonly value: string;
}

/** A record as the machine knows it. */
export interface LeaseRecord {
  readonly value: string;
  /** False once it is to be taken out. */
  readonly wanted: boolean;
  readonly standing: RecordStanding;
  /** It was told that the registry refuses it. */
  readonly refused?: true;
}

/** The records of one lease by key. */
export type LeaseRecords = ReadonlyMap<string, LeaseRecord>;

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
  /** Which process the record goes to instead of being deleted, in mode `remove`: one that claims the key too. */
  readonly heir?: Rival;
}

/** A request that leaves the record in the registry. */
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
 * The removals that are due when all records go. Those not written yet too: a write may be on its way, and a removal spares what is
 * not ours.
 */
export function removalRequests(records: LeaseRecords): RecordRequest[] {
  return [...records].map(([key, record]) => removalRequest(key, record));
}

function removalRequest(key: string, { value, standing }: LeaseRecord): RecordRequest {
  const heir = rivalOf(standing);
  return { key, value, mode: 'remove', ...(heir === undefined ? {} : { heir }) };
}

/** The other process that claims the key, as far as is known. */
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

/** The records after the registry refused some of them, by key, and what to tell. */
export function refuseRecords(
  records: LeaseRecords,
  refusals: ReadonlyMap<string, DiscoveryError>,
  retryInMs: number,
): { readonly records: LeaseRecords; readonly events: readonly RegistrationEvent[] } {
  const after = new Map(records);
  const events: RegistrationEvent[] = [];
  for (const [key, error] of refusals) {
    const record = records.get(key);
    if (record === undefined) continue;
    // It may stand there with an older value: in place is told when it says what it should.
    after.set(key, { ...record, standing: missing(record), refused: true });
    if (record.refused !== true) events.push({ type: 'record-refused', key, error, retryInMs });
  }
  return { records: after, events };
}

/** The records while the registry does not answer: what it refuses after that is news again. */
export function recordsUnheard(records: LeaseRecords): LeaseRecords {
  return new Map(
    [...records].map(([key, { value, wanted, standing }]) => [key, { value, wanted, standing }]),
  );
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

/** The records once some of them, by key, are to be taken out. */
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

/** The records when their lease is gone: the registry deleted them with it. */
export function recordsAfterLease(records: LeaseRecords): LeaseRecords {
  const remaining = new Map<string, LeaseRecord>();
  for (const [key, record] of records) {
    if (record.wanted) remaining.set(key, { ...record, standing: missing(record) });
  }
  return remaining;
}
