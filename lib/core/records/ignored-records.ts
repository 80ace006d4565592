/**
 * The values that a registry leaves out of the list of one service, grouped by reason: an operator sees a few
 * groups with their counts, not ten thousand keys. The cost of a change does not depend on the number of
 * records.
 */
import { printableBeginning } from '../printable-text.js';

/** Why a value is left out of lists. The set of reasons is closed, so that one service has few groups. */
export type IgnoredKind =
  'no-record' | 'no-dialable-address' | 'kratos' | 'go-zero' | 'kitex' | 'go-micro' | 'consul';

/** One value that is left out of lists. */
export interface IgnoredRecord {
  readonly kind: IgnoredKind;
  /** What is wrong with this value, in a short text that quotes it. */
  readonly reason: string;
}

/** All values that are left out of lists for one reason, with the oldest value as an example. */
export interface IgnoredGroup extends IgnoredRecord {
  readonly count: number;
  /** The key of the value that is the example. */
  readonly key: string;
}

/** A group is reported again once it has this many times the values of its last report. */
const GROWTH = 10;
/**
 * A group that was empty and has values again is reported only if its last report is at least this old, in
 * milliseconds. Tenfold growth is reported at once.
 */
const FORGOTTEN_AFTER_MS = 3_600_000;

interface Report {
  readonly count: number;
  readonly at: number;
  /** True: the group has been empty since this report. */
  ended: boolean;
}

/** The values that lists leave out now, by key, and the last report of each group. */
export class IgnoredRecords {
  private records = new Map<string, IgnoredRecord>();
  private readonly groups = new Map<IgnoredKind, Map<string, string>>();
  private readonly reports = new Map<IgnoredKind, Report>();
  private cached: readonly IgnoredGroup[] | undefined = [];

  /** Why lists leave out the value under a key; `undefined` if they do not. */
  get(key: string): IgnoredRecord | undefined {
    return this.records.get(key);
  }

  /** Adds the value under a key, or replaces the reason why it is left out. */
  set(key: string, { kind, reason }: IgnoredRecord): void {
    const known = this.records.get(key);
    if (known?.kind === kind && known.reason === reason) return;
    if (known !== undefined && known.kind !== kind) this.delete(key);
    this.records.set(key, { kind, reason });
    const group = this.groups.get(kind) ?? new Map<string, string>();
    this.groups.set(kind, group.set(key, reason));
    this.cached = undefined;
  }

  /** Removes the value under a key: it was deleted, or is an endpoint now. */
  delete(key: string): void {
    const known = this.records.get(key);
    if (known === undefined) return;
    this.records.delete(key);
    const group = this.groups.get(known.kind);
    group?.delete(key);
    if (group?.size === 0) this.end(known.kind);
    this.cached = undefined;
  }

  /** Replaces all values, after a complete list was read. */
  replace(records: ReadonlyMap<string, IgnoredRecord>): void {
    for (const key of this.records.keys()) if (!records.has(key)) this.delete(key);
    for (const [key, record] of records) this.set(key, record);
  }

  /** The current groups. Returns the same array until a value is added, changed or removed. */
  get summary(): readonly IgnoredGroup[] {
    this.cached ??= [...this.groups].flatMap(([kind, group]) => {
      const [first] = group;
      return first === undefined
        ? []
        : [{ kind, count: group.size, key: first[0], reason: first[1] }];
    });
    return this.cached;
  }

  /**
   * Returns the groups to report now, and marks them as reported: each group that is new, each that has grown
   * tenfold since its last report, and each that was empty since its last report, if that report is at least
   * an hour old.
   *
   * @param now the time in milliseconds
   */
  takeReports(now: number): readonly IgnoredGroup[] {
    const due = this.summary.filter(({ kind, count }) => {
      const last = this.reports.get(kind);
      if (last === undefined || count >= GROWTH * last.count) return true;
      return last.ended && now - last.at >= FORGOTTEN_AFTER_MS;
    });
    for (const { kind, count } of due) this.reports.set(kind, { count, at: now, ended: false });
    return due;
  }

  private end(kind: IgnoredKind): void {
    this.groups.delete(kind);
    const report = this.reports.get(kind);
    if (report !== undefined) report.ended = true;
  }
}

/** How many values lists leave out, for all reasons together. */
export function countIgnored(groups: readonly IgnoredGroup[]): number {
  return groups.reduce((sum, { count }) => sum + count, 0);
}

/**
 * A group as a sentence without its subject, the count:
 * `have no dialable address, e.g. api/x: Addr is missing`.
 */
export function describeIgnored({ kind, count, key, reason }: IgnoredGroup): string {
  const [one, many] = PHRASES[kind];
  const example = `${printableBeginning(key, 100)}: ${printableBeginning(reason, 200)}`;
  return count === 1 ? `${one} (${example})` : `${many}, e.g. ${example}`;
}

const PHRASES: Readonly<Record<IgnoredKind, readonly [one: string, many: string]>> = {
  'no-record': ['is no endpoint record', 'are no endpoint records'],
  'no-dialable-address': ['has no dialable address', 'have no dialable address'],
  kratos: ['is in the format of kratos', 'are in the format of kratos'],
  'go-zero': ['is in the format of go-zero', 'are in the format of go-zero'],
  kitex: ['is in the format of kitex', 'are in the format of kitex'],
  'go-micro': ['is in the format of go-micro', 'are in the format of go-micro'],
  consul: ['is in the format of Consul', 'are in the format of Consul'],
};
