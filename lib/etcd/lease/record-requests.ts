/** The requests that bring one record to where it should be. Those that take records out are in `record-removal.ts`. */
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

/** What stands under a key that is not exactly ours. */
interface FoundRecord {
  readonly value: string;
  readonly leaseId: string;
  readonly modRevision: string;
}

/**
 * Verifies or claims one record (`HoldRequest.mode`). Every write is conditional on what was seen just before,
 * so that two processes never overwrite each other unseen.
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

/** How often a record is written that stands there with another value each time. */
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
  // The answer was lost, and the write that was sent again met the first one.
  if (now === 'ours') return outcome;
  // A write of an older value came late.
  if (now?.leaseId === leaseId) {
    if (attempts > 1) return place(connection, leaseId, request, attempts - 1);
    throw toDiscoveryError(
      'record write',
      new MalformedReplyError('it is refused without a reason'),
    );
  }
  // Somebody wrote in between: it is theirs until looked at again.
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

/** Writes if the key stands as it did at `modRevision`; `'0'`: if it is not there. */
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
