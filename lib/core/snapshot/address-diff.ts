/** What two lists of endpoints have not in common, by address. */
import type { Endpoint } from '../records/endpoint.js';

/** Addresses that are in one of two lists only, each in the order of its list. */
export interface AddressDiff {
  readonly added: readonly string[];
  readonly removed: readonly string[];
}

/** The difference between two lists, in time that grows with what differs where that is in one place. */
export function diffAddresses(
  before: readonly Endpoint[],
  after: readonly Endpoint[],
): AddressDiff {
  // What is common at both ends, nearly everything as a rule, is not compared as sets.
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

/** Unchanged endpoints are the same objects as a rule, which saves reading thousands of them. */
function sameAddress(left: Endpoint | undefined, right: Endpoint | undefined): boolean {
  return left === right || left?.address === right?.address;
}
