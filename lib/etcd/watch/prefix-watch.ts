/** Runs one watch machine against etcd: performs its effects and decodes the records under the prefix. */
import { ChangeFlood } from '../../core/snapshot/change-flood.js';
import type { CancelTimer, Clock, Random } from '../../core/clock.js';
import { DiscoveryError } from '../../core/discovery-error.js';
import type { WatchEvent } from '../../core/discovery-event.js';
import {
  type IgnoredGroup,
  type IgnoredRecord,
  IgnoredRecords,
} from '../../core/records/ignored-records.js';
import type { RegistryUpdate } from '../../core/snapshot/registry-update.js';
import {
  INITIAL_WATCH_MACHINE,
  stepWatch,
  type WatchEffect,
  type WatchInput,
  type WatchMachine,
} from '../../core/snapshot/watch-machine.js';
import { type DecodedEntry, DecodedRecords } from './decoded-records.js';
import type { EtcdConnection } from '../connection/etcd-connection.js';
import { toDiscoveryError } from '../connection/etcd-error.js';
import { type ResolvedTimings, timedBackoff } from '../etcd-timings.js';
import type { EtcdChange, EtcdEntry } from './prefix-replies.js';
import { listPrefix, type OpenWatch, watchPrefix } from './prefix-requests.js';
import { WorkSlices } from './work-slices.js';

/** What a prefix watch needs. */
export interface PrefixWatchOptions<Value> {
  readonly connection: EtcdConnection;
  readonly clock: Clock;
  readonly random: Random;
  readonly timings: ResolvedTimings;
  readonly prefix: string;
  readonly decode: (entry: EtcdEntry) => DecodedEntry<Value>;
  /**
   * Whether a value says that its record is about to be deleted; the record then counts as removed. Default:
   * none does.
   */
  readonly isLeaving?: (value: Value) => boolean;
  readonly onUpdate: (update: RegistryUpdate<Value>) => void;
  readonly onEvent: (event: WatchEvent) => void;
}

/**
 * If a reply has this many changes, it is one of several replies with the changes of a pause: etcd sends
 * 1,000 revisions at a time. After such a reply the watch does not pause again, because it would fall further
 * behind each time.
 */
const CATCHING_UP = 500;

/** Follows one prefix from `start` to `stop`. */
export class PrefixWatch<Value> {
  private machine: WatchMachine = INITIAL_WATCH_MACHINE;
  private cancelTimer: CancelTimer | undefined;
  private stream: OpenWatch | undefined;
  private readonly ignored = new IgnoredRecords();
  private readonly flood = new ChangeFlood();
  private readonly records: DecodedRecords<Value>;

  constructor(private readonly options: PrefixWatchOptions<Value>) {
    this.records = new DecodedRecords(options.decode);
  }

  start(): void {
    this.feed({ type: 'start' });
  }

  stop(): void {
    this.feed({ type: 'stop' });
    this.cancelTimer?.();
  }

  /** Call it on a sign that etcd answers again. */
  wake(): void {
    this.feed({ type: 'registry-back' });
  }

  /** Call it when etcd was away and answers again: the watch lists anew, even if its stream still stands. */
  verify(): void {
    this.feed({ type: 'registry-was-away' });
  }

  private feed(input: WatchInput): void {
    const { clock, random, prefix, timings } = this.options;
    const { watchCreateTimeoutMs: createTimeoutMs, relistIntervalMs } = timings;
    let failure = input.type === 'failed' ? input.error : undefined;
    const { machine, effects } = stepWatch(this.machine, input, {
      now: clock.now(),
      prefix,
      random,
      backoff: timedBackoff(timings),
      createTimeoutMs,
      relistIntervalMs,
      createTimedOut: () => {
        failure = new DiscoveryError(
          'REGISTRY_UNAVAILABLE',
          `etcd watch on "${prefix}" was not confirmed within ${createTimeoutMs} ms`,
        );
        this.stream?.abandon();
        return failure;
      },
      disagreed: (listed, watched) => {
        failure = new DiscoveryError(
          'REGISTRY_UNAVAILABLE',
          `etcd list and watch of "${prefix}" disagree: revision ${listed.revision} of cluster ${listed.clusterId}, then ${watched.revision} of ${watched.clusterId}`,
        );
        return failure;
      },
    });
    this.machine = machine;
    // Listeners come last, so that requests and timers start even if a listener throws.
    for (const effect of effects) if (effect.type !== 'emit') this.perform(effect);
    if (failure !== undefined) this.options.onUpdate({ kind: 'failure', error: failure });
    for (const effect of effects) if (effect.type === 'emit') this.options.onEvent(effect.event);
  }

  private perform(effect: Exclude<WatchEffect, { type: 'emit' }>): void {
    switch (effect.type) {
      case 'timer':
        this.cancelTimer?.();
        this.cancelTimer = this.options.clock.setTimer(effect.delayMs, () =>
          this.feed({ type: 'timer' }),
        );
        return;
      case 'close':
        this.stream?.close();
        this.stream = undefined;
        return;
      case 'open':
        this.open(effect.fromRevision);
        return;
      case 'list':
        this.list().then(
          (input) => this.feed(input),
          (error: unknown) => this.feed({ type: 'failed', error: toDiscoveryError('list', error) }),
        );
    }
  }

  private async list(): Promise<WatchInput> {
    const { connection, prefix, clock, onUpdate, isLeaving } = this.options;
    const { records } = this;
    const slices = new WorkSlices(clock);
    const snapshot = new Map<string, Value>();
    const left: string[] = [];
    const ignored = new Map<string, IgnoredRecord>();
    const isListing = (): boolean => this.machine.phase.name === 'listing';
    const onEntry = (entry: EtcdEntry): Promise<void> | undefined => {
      if (!isListing()) return undefined;
      const decoded = records.read(entry);
      if (!decoded.ok) ignored.set(entry.key, decoded);
      else if (isLeaving?.(decoded.value) === true) left.push(entry.key);
      else snapshot.set(entry.key, decoded.value);
      return slices.rest();
    };
    const onFirstPage = (): void => {
      if (isListing()) onUpdate({ kind: 'reset', snapshot: new Map(snapshot), isPart: true });
    };
    const position = await listPrefix(connection, prefix, onEntry, {
      isWanted: isListing,
      // Only the first list needs its first page early: later lists confirm or correct what is known.
      onFirstPage: this.machine.position === undefined ? onFirstPage : undefined,
    });
    if (!isListing()) return { type: 'listed', position };
    if (records.size > snapshot.size + left.length + ignored.size) {
      const leaving = new Set(left);
      records.retain((key) => snapshot.has(key) || ignored.has(key) || leaving.has(key));
    }
    this.ignored.replace(ignored);
    onUpdate({
      kind: 'reset',
      snapshot,
      ...(left.length === 0 ? {} : { left }),
      ...this.ignoredGroups(),
    });
    this.reportIgnored();
    return { type: 'listed', position };
  }

  private open(fromRevision: bigint): void {
    const { connection, prefix, clock } = this.options;
    this.stream?.close();
    this.stream = watchPrefix(connection, prefix, fromRevision, {
      onCreated: (position) => this.feed({ type: 'created', position }),
      onChanges: (changes, revision) => {
        this.apply(changes);
        const isFlood = this.flood.count(changes.length, clock.now());
        if (isFlood && changes.length < CATCHING_UP) this.feed({ type: 'flooded', revision });
      },
      onEnd: (error) => this.feed({ type: 'failed', error }),
    });
  }

  private apply(changes: readonly EtcdChange[]): void {
    const { onUpdate, isLeaving } = this.options;
    const put = new Map<string, Value>();
    const removed: string[] = [];
    const left: string[] = [];
    for (const [key, { entry, isGone }] of lastByKey(changes)) {
      const decoded = entry === undefined ? undefined : this.records.read(entry);
      const value = decoded?.ok === true ? decoded.value : undefined;
      if (isGone) this.records.delete(key);
      if (decoded?.ok === false && !isGone) this.ignored.set(key, decoded);
      else this.ignored.delete(key);
      // `isLeft` is true even if the announced deletion follows in the same reply.
      const isLeft = value !== undefined && isLeaving?.(value) === true;
      if (isLeft) left.push(key);
      // A value that cannot be decoded removes the one before it: list and watch must agree.
      if (value === undefined || isGone || isLeft) removed.push(key);
      else put.set(key, value);
    }
    onUpdate({
      kind: 'change',
      change: { put, removed },
      ...(left.length === 0 ? {} : { left }),
      ...this.ignoredGroups(),
    });
    this.reportIgnored();
  }

  private ignoredGroups(): { readonly ignored?: readonly IgnoredGroup[] } {
    const { summary } = this.ignored;
    return summary.length === 0 ? {} : { ignored: summary };
  }

  private reportIgnored(): void {
    const { clock, prefix, onEvent } = this.options;
    for (const group of this.ignored.takeReports(clock.now())) {
      onEvent({ type: 'record-ignored', prefix, ...group });
    }
  }
}

/**
 * The outcome for each key of one reply, in the order of the last changes: the last value that was put, and
 * whether a deletion followed.
 */
function lastByKey(
  changes: readonly EtcdChange[],
): ReadonlyMap<string, { readonly entry: EtcdEntry | undefined; readonly isGone: boolean }> {
  const last = new Map<string, { entry: EtcdEntry | undefined; isGone: boolean }>();
  for (const { key, entry } of changes) {
    const put = entry ?? last.get(key)?.entry;
    last.delete(key);
    last.set(key, { entry: put, isGone: entry === undefined });
  }
  return last;
}
