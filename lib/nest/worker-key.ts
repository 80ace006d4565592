/**
 * The key of a record where several processes serve one address: the workers of node:cluster, and so of PM2's
 * cluster mode.
 */
import cluster from 'node:cluster';
import { workerKey } from '../core/records/record-key.js';

/**
 * The key of a service at an address, without an option `service.key`: in a worker one of its own, so that
 * the record of one worker outlives that of another; `undefined`, which is the address, everywhere else.
 *
 * @param workerId the id of this process among its primary's workers; `undefined` where it is not a worker
 */
export function defaultKey(
  address: string,
  workerId: number | undefined = cluster.worker?.id,
): string | undefined {
  return workerId === undefined ? undefined : workerKey(address, workerId);
}
