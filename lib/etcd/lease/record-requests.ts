/** The requests that verify and write one record. Those that remove records are in `record-removal.ts`. */
import type { HoldRequest } from '../../core/lease/lease-record.js';
import type { RecordObservation } from '../../core/lease/record-observation.js';
import type { EtcdConnection } from '../connection/etcd-connection.js';
import { MalformedReplyError, toDiscoveryError } from '../connection/etcd-error.js';
import {
  booleanField,
  bytesField,
  readFound,
  integerField,
  textField,
} from '../connection/reply-fields.js';

/** A record that was found under a key instead of our value under our lease. */
interface FoundRecord {
  readonly value: string;
  readonly leaseId: string;
  readonly modRevision: string;
}

/**
 * Verifies or claims one record (`HoldRequest.mode`). Every write is conditional on the record that was read
 * just before, so that two processes never overwrite each other unnoticed.
 *
 * @throws DiscoveryError; LeaseGoneError
 */
export async function syncRecord(
  connection: EtcdConnection,
  leaseId: string,
  request: HoldRequest,
): Promise<RecordObservation> {
  return place(connection, leaseId, request, PLACE_ATTEMPTS);
}

/** How often at most one sync writes a record, if older writes of this process arrive late in between. */
const PLACE_ATTEMPTS = 2;

async function place(
  connection: EtcdConnection,
  leaseId: string,
  request: HoldRequest,
  attempts: number,
): Promise<RecordObservation> {
  const found = await inspect(connection, request, leaseId);
  if (found === 'ours') return { name: 'held' };
  const foreign = found !== undefined && found.leaseId !== leaseId ? found : undefined;
  if (foreign !== undefined && request.mode === 'verify') {
    const { value } = foreign;
    return { name: 'foreign', value, leaseId: foreign.leaseId, contested: false };
  }
  const written = await write(connection, request, leaseId, found?.modRevision ?? '0');
  const updated = found !== undefined && foreign === undefined;
  const displaced = foreign && { value: foreign.value, leaseId: foreign.leaseId };
  const outcome = { name: 'written', displaced, updated } as const;
  if (written) return outcome;
  const now = await inspect(connection, request, leaseId);
  // The answer to the first write was lost, and the repeated write found the record in place.
  if (now === 'ours') return outcome;
  // An earlier write, of an older value, arrived late.
  if (now?.leaseId === leaseId) {
    if (attempts > 1) return place(connection, leaseId, request, attempts - 1);
    throw toDiscoveryError(
      'record write',
      new MalformedReplyError('etcd refused the write without a reason'),
    );
  }
  // Another process wrote in between: the record counts as theirs until the next sync.
  const theirs = now ?? foreign;
  return theirs === undefined
    ? { name: 'foreign', value: '', contested: true }
    : { name: 'foreign', value: theirs.value, leaseId: theirs.leaseId, contested: true };
}

async function inspect(
  connection: EtcdConnection,
  request: HoldRequest,
  leaseId: string,
): Promise<FoundRecord | 'ours' | undefined> {
  const key = Buffer.from(request.key);
  return connection.request('record check', async (member, options) => {
    const reply: unknown = await member.kv.txn(
      {
        compare: [
          { result: 'Equal', target: 'Lease', key, lease: leaseId },
          { result: 'Equal', target: 'Value', key, value: Buffer.from(request.value) },
        ],
        success: [],
        failure: [{ request_range: { key } }],
      },
      options,
    );
    if (booleanField(reply, 'succeeded')) return 'ours';
    const found = readFound(reply, 0);
    if (found === undefined) return undefined;
    return {
      value: bytesField(found, 'value').toString(),
      leaseId: textField(found, 'lease'),
      modRevision: integerField(found, 'mod_revision').toString(),
    };
  });
}

/** Writes a record if its key is unchanged since `modRevision`; `'0'`: if there is no such key. */
async function write(
  connection: EtcdConnection,
  request: HoldRequest,
  leaseId: string,
  modRevision: string,
): Promise<boolean> {
  const key = Buffer.from(request.key);
  const value = Buffer.from(request.value);
  return connection.request('record write', async (member, options) => {
    const reply = await member.kv.txn(
      {
        compare: [{ result: 'Equal', target: 'Mod', key, mod_revision: modRevision }],
        success: [{ request_put: { key, value, lease: leaseId } }],
        failure: [],
      },
      options,
    );
    return booleanField(reply, 'succeeded');
  });
}
