/** The endpoints of one service as a registry has them, and the steps by which they change. */
import { sameDiscovery } from '../records/discovery-fields.js';
import type { Endpoint } from '../records/endpoint.js';
import { sameJson } from '../records/same-json.js';

/** Every endpoint of a service (or whatever else is read, `Value`) by its key in the registry. */
export type Snapshot<Value = Endpoint> = ReadonlyMap<string, Value>;

/** What leads from one snapshot to the next. */
export interface SnapshotChange<Value = Endpoint> {
  /** Added and changed endpoints by key. */
  readonly put: Snapshot<Value>;
  /** Keys that are gone. */
  readonly removed: readonly string[];
}

/** The snapshot of a service without endpoints. */
export const EMPTY_SNAPSHOT: Snapshot = new Map();

/** What leads from `before` to `after`. */
export function diffSnapshots(before: Snapshot, after: Snapshot): SnapshotChange {
  const put = new Map<string, Endpoint>();
  for (const [key, endpoint] of after) {
    const known = before.get(key);
    if (known === undefined || !sameEndpoint(known, endpoint)) put.set(key, endpoint);
  }
  return { put, removed: [...before.keys()].filter((key) => !after.has(key)) };
}

/** Whether a change changes nothing. */
export function isEmptyChange(change: SnapshotChange): boolean {
  return change.put.size === 0 && change.removed.length === 0;
}

/** Whether two endpoints are the same by value. */
export function sameEndpoint(left: Endpoint, right: Endpoint): boolean {
  if (left === right) return true;
  if (left.address !== right.address || left.incarnation !== right.incarnation) return false;
  if (!sameDiscovery(left.discovery, right.discovery)) return false;
  return sameJson(left.metadata, right.metadata);
}

/** Whether two lists hold the same endpoints in the same order. */
export function sameEndpoints(left: readonly Endpoint[], right: readonly Endpoint[]): boolean {
  if (left === right) return true;
  return (
    left.length === right.length &&
    left.every((endpoint, index) => {
      const other = right[index];
      return other !== undefined && sameEndpoint(endpoint, other);
    })
  );
}
