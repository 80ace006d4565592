/** The requests that bring one record to where it should be. */
import { drainingEndpoint } from '../core/endpoint.js';
import { decodeEndpoint, encodeEndpoint } from '../core/endpoint-codec.js';
import type { RecordRequest } from '../core/lease-record.js';
import type { RecordObservation } from '../core/record-observation.js';
import type { EtcdConnection } from './etcd-connection.js';
import { isUnavailable, LeaseGoneError } from './etcd-error.js';

type Member = Parameters<Parameters<EtcdConnection['request']>[1]>[0];
type Operations = NonNullable<Parameters<Member['kv']['txn']>[0]['success']>;

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
    return remove(connection, leaseId, request);
  }
  const found = await inspect(connection, request, leaseId);
  if (found === 'ours') return { name: 'held' };
  const foreign = found !== undefined && found.leaseId !== leaseId ? found : undefined;
  if (foreign !== undefined && request.mode === 'verify') {
    return { name: 'foreign', value: foreign.value, contested: false };
  }
  const written = await write(connection, request, leaseId, found?.modRevision ?? '0');
  const updated = found !== undefined && foreign === undefined;
  const outcome = { name: 'written', displaced: foreign?.value, updated } as const;
  if (written) return outcome;
  const now = await inspect(connection, request, leaseId);
  // The answer was lost, and the write that was sent again met the first one.
  if (now === 'ours') return outcome;
  // A write of an older value came late.
  if (now?.leaseId === leaseId) return syncRecord(connection, leaseId, request);
  // Somebody wrote in between: it is theirs until looked at again.
  return { name: 'foreign', value: (now ?? foreign)?.value ?? '', contested: true };
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

/**
 * Says of a record of ours that its server leaves. A deletion alone looks the same whoever did it; one that was announced is
 * never taken for the registry's fault, so that clients follow it at once, however many servers leave together.
 *
 * @returns what will be known of it once it is out; `undefined` where it is not there, or cannot say so
 */
export async function announceRemoval(
  connection: EtcdConnection,
  leaseId: string,
  request: RecordRequest,
): Promise<RecordObservation | undefined> {
  const decoded = decodeEndpoint(request.value);
  if (!decoded.ok) return undefined;
  const key = Buffer.from(request.key);
  const value = Buffer.from(encodeEndpoint(drainingEndpoint(decoded.endpoint)));
  const put = { request_put: { key, value, lease: leaseId } };
  return ifOurs(connection, leaseId, request.key, [put]);
}

async function remove(
  connection: EtcdConnection,
  leaseId: string,
  request: RecordRequest,
): Promise<RecordObservation> {
  try {
    await announceRemoval(connection, leaseId, request);
  } catch (error) {
    // An etcd that is full refuses to write, and still deletes.
    if (isUnavailable(error) || error instanceof LeaseGoneError) throw error;
  }
  const deletion = { request_delete_range: { key: Buffer.from(request.key) } };
  const found = await ifOurs(connection, leaseId, request.key, [deletion]);
  return found ?? { name: 'removed' };
}

/** Does this where the key is ours, and says whether it was; `undefined` where it is not there. */
async function ifOurs(
  connection: EtcdConnection,
  leaseId: string,
  name: string,
  success: Operations,
): Promise<RecordObservation | undefined> {
  const key = Buffer.from(name);
  const isOurs = { result: 'Equal', target: 'Lease', key, lease: leaseId } as const;
  const failure = [{ request_range: { key, keys_only: true } }];
  const reply = await connection.request(
    'record removal',
    (member, options) => member.kv.txn({ compare: [isOurs], success, failure }, options),
    'last',
  );
  if (reply.succeeded) return { name: 'removed' };
  const isThere = (reply.responses[0]?.response_range.kvs.length ?? 0) > 0;
  return isThere ? { name: 'spared' } : undefined;
}
