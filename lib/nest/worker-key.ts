/**
 * The key of a record where several processes serve one address: the workers of node:cluster, and so of PM2's
 * cluster mode.
 */
import cluster from 'node:cluster';
import { workerKey } from '../core/records/record-key.js';

/**
 * The default key of a service at an address, if the option `service.key` is not set. Every worker has its
 * own key, so that the records of the others stay when one worker ends; any other process gets `undefined`,
 * which stands for the address.
 *
 * @param workerId the id of this process among the workers of its primary; `undefined` if it is not a worker
 */
export function defaultKey(
  address: string,
  workerId: number | undefined = cluster.worker?.id,
): string | undefined {
  return workerId === undefined ? undefined : workerKey(address, workerId);
}
