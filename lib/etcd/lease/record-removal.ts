/**
 * The requests that remove records, many in one transaction: an exit has one deadline for any number of
 * records.
 */
import { encodeEndpoint, decodeEndpoint } from '../../core/records/endpoint-codec.js';
import { drainingEndpoint } from '../../core/records/endpoint.js';
import type { RecordRequest } from '../../core/lease/lease-record.js';
import type { RecordObservation } from '../../core/lease/record-observation.js';
import type { EtcdConnection } from '../connection/etcd-connection.js';
import { isUnavailable, LeaseGoneError } from '../connection/etcd-error.js';
import { booleanField, malformed, readFound, textField } from '../connection/reply-fields.js';

type Member = Parameters<Parameters<EtcdConnection['request']>[1]>[0];
type Operation = NonNullable<Parameters<Member['kv']['txn']>[0]['success']>[number];

/** Operations in one transaction: the default of etcd's `--max-txn-ops`. */
const BATCH_OPERATIONS = 128;
/** Bytes of keys and values in one transaction: far below the 1.5 MiB of etcd's `--max-request-bytes`. */
const BATCH_BYTES = 512 * 1024;

/** The outcome of one request about several records. */
export interface RecordOutcome {
  readonly records: readonly RecordRequest[];
  /** The observations by key, or why the request failed. */
  readonly result: PromiseSettledResult<ReadonlyMap<string, RecordObservation>>;
}

/**
 * Marks our records as leaving, before they are deleted. A deletion alone does not show why it happened;
 * clients do not take an announced deletion for a fault of the registry, and remove the endpoint at once,
 * however many servers leave together.
 *
 * @param totalMs how long this may take, in milliseconds
 * @returns the observation for each record once it is deleted; none for a record that is not in etcd, or that
 *   cannot be marked
 */
export function announceRemovals(
  connection: EtcdConnection,
  leaseId: string,
  records: readonly RecordRequest[],
  totalMs?: number,
): Promise<readonly RecordOutcome[]> {
  return handOver(connection, leaseId, records, totalMs, (rest) =>
    inBatches(rest, (batch) => announce(connection, leaseId, batch, totalMs)),
  );
}

/** Announces the removal of our records, then deletes them. Records of other processes stay. */
export function removeRecords(
  connection: EtcdConnection,
  leaseId: string,
  records: readonly RecordRequest[],
): Promise<readonly RecordOutcome[]> {
  return handOver(connection, leaseId, records, undefined, (rest) =>
    inBatches(rest, (batch) => remove(connection, leaseId, batch)),
  );
}

/**
 * Gives each record that another process claims, too, to that process, so that no client loses an address at
 * which another process serves. Removes all other records, and records whose other claimant has lost its
 * lease.
 */
async function handOver(
  connection: EtcdConnection,
  leaseId: string,
  records: readonly RecordRequest[],
  totalMs: number | undefined,
  takeOut: (records: readonly RecordRequest[]) => Promise<readonly RecordOutcome[]>,
): Promise<readonly RecordOutcome[]> {
  const handedOver = await Promise.all(
    records.map(async (record): Promise<RecordOutcome | undefined> => {
      const { key, heir } = record;
      if (heir === undefined) return undefined;
      const value = Buffer.from(heir.value);
      const put = { request_put: { key: Buffer.from(key), value, lease: heir.leaseId } };
      const given = ifOurs(connection, leaseId, new Map([[key, put]]), totalMs);
      const [result] = await Promise.allSettled([given]);
      const isTheirs = result.status === 'fulfilled' && result.value.has(key);
      if (isTheirs) {
        const found = new Map<string, RecordObservation>([[key, { name: 'spared' }]]);
        return { records: [record], result: { status: 'fulfilled', value: found } };
      }
      const isSilent = result.status === 'rejected' && isUnavailable(result.reason);
      return isSilent ? { records: [record], result } : undefined;
    }),
  );
  const rest = records.filter((_, index) => handedOver[index] === undefined);
  return [...handedOver.filter((outcome) => outcome !== undefined), ...(await takeOut(rest))];
}

async function announce(
  connection: EtcdConnection,
  leaseId: string,
  records: readonly RecordRequest[],
  totalMs?: number,
): Promise<ReadonlyMap<string, RecordObservation>> {
  const puts = new Map<string, Operation>();
  for (const { key, value } of records) {
    const decoded = decodeEndpoint(value);
    if (!decoded.ok) continue;
    const announced = Buffer.from(encodeEndpoint(drainingEndpoint(decoded.endpoint)));
    puts.set(key, { request_put: { key: Buffer.from(key), value: announced, lease: leaseId } });
  }
  return ifOurs(connection, leaseId, puts, totalMs);
}

async function remove(
  connection: EtcdConnection,
  leaseId: string,
  records: readonly RecordRequest[],
): Promise<ReadonlyMap<string, RecordObservation>> {
  try {
    await announce(connection, leaseId, records);
  } catch (error) {
    // Other refusals do not end the removal: a full etcd refuses to write the mark, but still deletes.
    if (isUnavailable(error) || error instanceof LeaseGoneError) throw error;
  }
  const deletions = records.map(({ key }): [string, Operation] => [
    key,
    { request_delete_range: { key: Buffer.from(key) } },
  ]);
  const found = await ifOurs(connection, leaseId, new Map(deletions));
  return new Map(records.map(({ key }) => [key, found.get(key) ?? { name: 'removed' }]));
}

/**
 * Runs the operations of all keys that are ours, and returns for each key in etcd whether it was ours. A
 * transaction runs all operations or none: if some keys are not ours, the next transaction leaves them out.
 */
async function ifOurs(
  connection: EtcdConnection,
  leaseId: string,
  operations: ReadonlyMap<string, Operation>,
  totalMs?: number,
): Promise<ReadonlyMap<string, RecordObservation>> {
  const found = new Map<string, RecordObservation>();
  for (let keys = [...operations.keys()]; keys.length > 0;) {
    const asked = keys;
    const names = asked.map((key) => Buffer.from(key));
    // The lease of each key, `undefined` for a missing one; or `ours` if all keys were ours.
    const leases = await connection.request(
      'record removal',
      async (member, options) => {
        const reply: unknown = await member.kv.txn(
          {
            compare: names.map((key) => ({
              result: 'Equal',
              target: 'Lease',
              key,
              lease: leaseId,
            })),
            success: asked.flatMap((key) => operations.get(key) ?? []),
            failure: names.map((key) => ({ request_range: { key, keys_only: true } })),
          },
          options,
        );
        if (booleanField(reply, 'succeeded')) return 'ours';
        const read = asked.map((_, index) => leaseOf(readFound(reply, index)));
        if (read.every((lease) => lease === leaseId))
          malformed('it contradicts itself about the lease of the keys');
        return read;
      },
      'last',
      totalMs,
    );
    if (leases === 'ours') {
      for (const key of asked) found.set(key, { name: 'removed' });
      break;
    }
    for (const [index, key] of asked.entries()) {
      const lease = leases[index];
      if (lease !== undefined && lease !== leaseId) found.set(key, { name: 'spared' });
    }
    keys = asked.filter((_, index) => leases[index] === leaseId);
  }
  return found;
}

function leaseOf(found: unknown): string | undefined {
  return found === undefined ? undefined : textField(found, 'lease');
}

/**
 * Sends all batches at once. etcd may refuse a batch because of a single record: then each record of the
 * batch is sent alone.
 */
async function inBatches(
  records: readonly RecordRequest[],
  run: (batch: readonly RecordRequest[]) => Promise<ReadonlyMap<string, RecordObservation>>,
): Promise<readonly RecordOutcome[]> {
  const outcomes = await Promise.all(
    batches(records).map(async (batch): Promise<readonly RecordOutcome[]> => {
      const [result] = await Promise.allSettled([run(batch)]);
      const isRefused =
        result.status === 'rejected' &&
        !isUnavailable(result.reason) &&
        !(result.reason instanceof LeaseGoneError);
      if (!isRefused || batch.length === 1) return [{ records: batch, result }];
      const alone = await Promise.allSettled(batch.map((record) => run([record])));
      return alone.map((one, index) => ({ records: batch.slice(index, index + 1), result: one }));
    }),
  );
  return outcomes.flat();
}

function batches(records: readonly RecordRequest[]): readonly (readonly RecordRequest[])[] {
  const all: RecordRequest[][] = [];
  let bytes = 0;
  for (const record of records) {
    const size = Buffer.byteLength(record.key) + Buffer.byteLength(record.value);
    const last = all.at(-1);
    const fits =
      last !== undefined && last.length < BATCH_OPERATIONS && bytes + size <= BATCH_BYTES;
    if (fits) last.push(record);
    else all.push([record]);
    bytes = fits ? bytes + size : size;
  }
  return all;
}
