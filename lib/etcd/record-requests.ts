/** The requests that bring one record to where it should be. */
import type { RecordObservation, RecordRequest } from '../core/lease-record.js';
import type { EtcdConnection } from './etcd-connection.js';

/** What stands under a key that is not exactly ours. */
interface FoundRecord {
  readonly value: string;
  readonly leaseId: string;
  readonly modRevision: string;
}

/**
 * Verifies, claims or removes one record (`RecordRequest.mode`). Every write is conditional on what was seen just before,
 * so that two processes never overwrite each other unseen.
 *
 * @throws DiscoveryError; LeaseGoneError
 */
export async function syncRecord(
  connection: EtcdConnection,
  leaseId: string,
  request: RecordRequest,
): Promise<RecordObservation> {
  if (request.mode === 'remove') {
    await remove(connection, request.key, leaseId);
    return { name: 'removed' };
  }
  const found = await inspect(connection, request, leaseId);
  if (found === 'ours') return { name: 'held' };
  const foreign = found !== undefined && found.leaseId !== leaseId ? found : undefined;
  if (foreign !== undefined && request.mode === 'verify') {
    return { name: 'foreign', value: foreign.value, contested: false };
  }
  const written = await write(connection, request, leaseId, found?.modRevision ?? '0');
  if (written) {
    const updated = found !== undefined && foreign === undefined;
    return { name: 'written', displaced: foreign?.value, updated };
  }
  // Somebody wrote in between: it is theirs until looked at again.
  return { name: 'foreign', value: foreign?.value ?? '', contested: true };
}

async function inspect(
  connection: EtcdConnection,
  request: RecordRequest,
  leaseId: string,
): Promise<FoundRecord | 'ours' | undefined> {
  const key = Buffer.from(request.key);
  const reply = await connection.request('record check', (member, options) =>
    member.kv.txn(
      {
        compare: [
          { result: 'Equal', target: 'Lease', key, lease: leaseId },
          { result: 'Equal', target: 'Value', key, value: Buffer.from(request.value) },
        ],
        success: [],
        failure: [{ request_range: { key } }],
      },
      options,
    ),
  );
  if (reply.succeeded) return 'ours';
  const found = reply.responses[0]?.response_range.kvs[0];
  if (found === undefined) return undefined;
  return {
    value: found.value.toString(),
    leaseId: found.lease,
    modRevision: found.mod_revision,
  };
}

/** Writes if the key stands as it did at `modRevision`; `'0'`: if it is not there. */
async function write(
  connection: EtcdConnection,
  request: RecordRequest,
  leaseId: string,
  modRevision: string,
): Promise<boolean> {
  const key = Buffer.from(request.key);
  const value = Buffer.from(request.value);
  const reply = await connection.request('record write', (member, options) =>
    member.kv.txn(
      {
        compare: [{ result: 'Equal', target: 'Mod', key, mod_revision: modRevision }],
        success: [{ request_put: { key, value, lease: leaseId } }],
        failure: [],
      },
      options,
    ),
  );
  return reply.succeeded;
}

async function remove(connection: EtcdConnection, name: string, leaseId: string): Promise<void> {
  const key = Buffer.from(name);
  const removal = {
    compare: [{ result: 'Equal' as const, target: 'Lease' as const, key, lease: leaseId }],
    success: [{ request_delete_range: { key } }],
    failure: [],
  };
  await connection.request(
    'record removal',
    (member, options) => member.kv.txn(removal, options),
    'always',
  );
}
