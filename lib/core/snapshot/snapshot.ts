/** The endpoints of one service in a registry, and the difference between two such lists. */
import { sameDiscovery } from '../records/discovery-fields.js';
import type { Endpoint } from '../records/endpoint.js';
import { sameJson } from '../records/same-json.js';

/** Every endpoint of a service (or every value of another type, `Value`) by its key in the registry. */
export type Snapshot<Value = Endpoint> = ReadonlyMap<string, Value>;

/** Added and changed values by key. */
export interface SnapshotChange<Value = Endpoint> {
  /** Added and changed endpoints by key. */
  readonly put: Snapshot<Value>;
  /** Removed keys. */
  readonly removed: readonly string[];
}

/** The snapshot of a service without endpoints. */
export const EMPTY_SNAPSHOT: Snapshot = new Map();

/** The difference between `before` and `after`. */
export function diffSnapshots(before: Snapshot, after: Snapshot): SnapshotChange {
  const put = new Map<string, Endpoint>();
  for (const [key, endpoint] of after) {
    const known = before.get(key);
    if (known === undefined || !sameEndpoint(known, endpoint)) put.set(key, endpoint);
  }
  return { put, removed: [...before.keys()].filter((key) => !after.has(key)) };
}

/** Whether a change is empty. */
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

/** Addresses that only one of two lists has, each in the order of its list. */
interface AddressDiff {
  readonly added: readonly string[];
  readonly removed: readonly string[];
}

/** The difference between two lists of endpoints by address. Equal ends of the lists cost one comparison. */
export function diffAddresses(
  before: readonly Endpoint[],
  after: readonly Endpoint[],
): AddressDiff {
  // The lists usually have nearly everything in common at both ends: sets are built only for the part
  // between.
  const shorter = Math.min(before.length, after.length);
  let head = 0;
  while (head < shorter && sameAddress(before[head], after[head])) head++;
  let tail = 0;
  const [lastBefore, lastAfter] = [before.length - 1, after.length - 1];
  while (tail < shorter - head && sameAddress(before[lastBefore - tail], after[lastAfter - tail]))
    tail++;
  const addresses = (list: readonly Endpoint[]): Set<string> =>
    new Set(list.slice(head, list.length - tail).map(({ address }) => address));
  const was = addresses(before);
  const is = addresses(after);
  return {
    added: [...is].filter((address) => !was.has(address)),
    removed: [...was].filter((address) => !is.has(address)),
  };
}

/**
 * Whether two endpoints have the same address. Usually an unchanged endpoint is the same object, which saves
 * reading thousands of addresses.
 */
function sameAddress(left: Endpoint | undefined, right: Endpoint | undefined): boolean {
  return left === right || left?.address === right?.address;
}
