/**
 * Records that a lease gave up while other processes had them. Such a process may leave in its turn, and give the record back to this
 * lease, which others of its records keep alive: the lease machine looks for that with each keepalive. Pure.
 */
import type { LeaseRecords, RecordRequest } from './lease-record.js';
import type { RecordObservation } from './record-observation.js';

/** By key: what we wrote there last, and until when it may come back, in milliseconds of the machine's clock. */
export type SparedRecords = ReadonlyMap<string, { readonly value: string; readonly until: number }>;

/** The spared records after a request. `until`: when what is spared now may no longer come back. */
export function spareRecords(
  { spared, records }: { readonly spared: SparedRecords; readonly records: LeaseRecords },
  observations: ReadonlyMap<string, RecordObservation>,
  until: number,
  now: number,
): SparedRecords {
  const after = new Map([...spared].filter(([, record]) => record.until > now));
  for (const [key, { value, wanted }] of records) {
    if (!wanted && observations.get(key)?.name === 'spared') after.set(key, { value, until });
  }
  return after;
}

/** The removals of what came back; what is in our care again is none of them. */
export function sparedRequests(spared: SparedRecords, records: LeaseRecords): RecordRequest[] {
  return [...spared]
    .filter(([key]) => !records.has(key))
    .map(([key, { value }]) => ({ key, value, mode: 'remove' }));
}
