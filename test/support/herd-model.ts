/**
 * What a herd of processes does to an etcd that was away, in virtual time. The lease machine, the watch
 * machine and the reachability are the library's own; etcd is a model of cores with queues, with costs as
 * measured on etcd 3.6.
 */
import { stepLease } from '../../lib/core/lease/lease-machine.js';
import { INITIAL_LEASE_MACHINE, type LeaseEvent } from '../../lib/core/lease/lease-types.js';
import type { RecordObservation } from '../../lib/core/lease/record-observation.js';
import { DiscoveryError } from '../../lib/core/discovery-error.js';
import {
  INITIAL_WATCH_MACHINE,
  stepWatch,
  type WatchInput,
} from '../../lib/core/snapshot/watch-machine.js';
import { DEFAULT_TIMINGS, timedBackoff } from '../../lib/etcd/etcd-timings.js';
import { Reachability } from '../../lib/etcd/connection/reachability.js';
import { seededRandom } from './seeded-random.js';
import { VirtualTime } from './virtual-time.js';

/**
 * How etcd goes away. `killed`: its process is killed and started again. `wiped`: the same, with empty data.
 * `stalled`: it answers nothing for a while.
 */
export type HerdFault = 'killed' | 'wiped' | 'stalled';

export interface HerdOptions {
  readonly processes: number;
  /** How many services each process follows, besides their service configs. */
  readonly services: number;
  readonly fault: HerdFault;
  readonly awayMs: number;
  /** How many cores etcd has; a request takes the time of one core. */
  readonly cores: number;
  /** How many times slower than measured each request is. Default 1. */
  readonly slowness?: number;
  readonly seed: number;
}

/** The result of a simulated outage. */
export interface HerdOutcome {
  /**
   * When every record and every watch was in place for good, in milliseconds after etcd was back;
   * `undefined`: not within two minutes.
   */
  readonly backMs: number | undefined;
  /** How many requests reached etcd until then. */
  readonly requests: number;
  /** The least possible number of requests: two for each record, and a list and a watch for each service. */
  readonly least: number;
  /** The greatest number of requests within a tenth of a second, as a rate per second. */
  readonly peakPerSecond: number;
}

type Kind = 'renew' | 'check' | 'write' | 'grant' | 'list' | 'open' | 'probe';

/** How long a request occupies one core, in milliseconds. */
const COST: Record<Kind, number> = {
  renew: 0.2,
  check: 0.15,
  write: 0.25,
  grant: 0.25,
  list: 0.35,
  open: 0.2,
  probe: 0.12,
};
/** A late request costs this share of its `COST`, because etcd notices that the caller has given up. */
const CANCELLED_SHARE = 0.3;
const REQUEST_TIMEOUT_MS = 2_000;
const TTL_MS = 10_000;
const GIVE_UP_MS = 120_000;
/** How long everything has to stay in place, in milliseconds, to count as in place for good. */
const STEADY_MS = 5_000;
const BACKOFF = timedBackoff(DEFAULT_TIMINGS);
const AWAY = new DiscoveryError('REGISTRY_UNAVAILABLE', 'etcd does not answer');

class Etcd {
  up = true;
  /** Raised by a wipe: leases and records of an earlier epoch are gone. */
  epoch = 1;
  requests = 0;
  peak = 0;
  private readonly free: number[];
  private windowAt = 0;
  private inWindow = 0;

  constructor(
    private readonly time: VirtualTime,
    private readonly random: () => number,
    cores: number,
    private readonly slowness: number,
  ) {
    this.free = Array<number>(cores).fill(0);
  }

  /** Answers nothing until `atMs`; requests that come meanwhile wait. */
  stallUntil(atMs: number): void {
    this.free.fill(atMs);
  }

  restart(): void {
    this.up = true;
    this.free.fill(this.time.now());
    this.requests = 0;
    this.peak = 0;
  }

  request(kind: Kind, done: (isAnswered: boolean) => void): void {
    const now = this.time.now();
    if (!this.up) {
      this.time.setTimer(1, () => done(false));
      return;
    }
    this.count(now);
    const core = this.free.indexOf(Math.min(...this.free));
    const startMs = Math.max(now, this.free[core] ?? 0);
    const costMs = COST[kind] * this.slowness * (0.8 + 0.4 * this.random());
    // A watch request has no deadline; the watch machine has one.
    const isLate = kind !== 'open' && startMs + costMs - now > REQUEST_TIMEOUT_MS;
    const endMs = startMs + (isLate ? costMs * CANCELLED_SHARE : costMs);
    this.free[core] = endMs;
    this.time.setTimer(isLate ? REQUEST_TIMEOUT_MS : endMs - now, () => done(!isLate));
  }

  private count(now: number): void {
    this.requests++;
    const at = Math.floor(now / 100);
    this.inWindow = at === this.windowAt ? this.inWindow + 1 : 1;
    this.windowAt = at;
    this.peak = Math.max(this.peak, this.inWindow);
  }
}

/** What all processes of a simulation share. */
interface World {
  readonly time: VirtualTime;
  readonly etcd: Etcd;
  readonly random: () => number;
  /** How many records and watches are in place. */
  inPlace: number;
}

class HerdProcess {
  readonly reachability: Reachability;
  readonly watches: HerdWatch[];
  private machine = INITIAL_LEASE_MACHINE;
  private cancelTimer: (() => void) | undefined;
  private isInPlace = false;
  private leaseEpoch = 0;
  private recordEpoch = 0;

  constructor(
    private readonly world: World,
    services: number,
  ) {
    const { time, random } = world;
    this.reachability = new Reachability({
      clock: time,
      random,
      timings: DEFAULT_TIMINGS,
      probe: () =>
        new Promise<void>((resolve, reject) => {
          this.request(
            'probe',
            (isAnswered) => {
              time.settled();
              if (isAnswered) resolve();
              else reject(AWAY);
            },
            true,
          );
        }),
    });
    this.reachability.back$.subscribe(() => {
      this.feed({ type: 'registry-was-away' });
      for (const watch of this.watches) watch.feed({ type: 'registry-was-away' });
    });
    this.watches = Array.from({ length: services + 1 }, () => new HerdWatch(world, this));
  }

  start(): void {
    this.feed({ type: 'want', key: 'api/h:1', value: '{}' });
    for (const watch of this.watches) watch.feed({ type: 'start' });
  }

  /** Sends a request as the library's connection does: while no member answers, only the probe sends one. */
  request(kind: Kind, done: (isAnswered: boolean) => void, always = false): void {
    if (this.reachability.isDown && !always) {
      this.world.time.setTimer(0, () => done(false));
      return;
    }
    this.world.etcd.request(kind, (isAnswered) => {
      if (isAnswered) this.reachability.answered();
      else this.reachability.lost(AWAY);
      done(isAnswered);
    });
  }

  private feed(event: LeaseEvent): void {
    const { time, random } = this.world;
    const { keepalivesPerTtl, keepaliveJitter } = DEFAULT_TIMINGS;
    const now = time.now();
    const context = { now, random, backoff: BACKOFF, keepalivesPerTtl, keepaliveJitter };
    const { machine, effects } = stepLease(this.machine, event, context);
    this.machine = machine;
    this.place(machine.phase.name);
    for (const effect of effects) {
      const at = time.now();
      if (effect.type === 'timer') {
        this.cancelTimer?.();
        this.cancelTimer = time.setTimer(effect.delayMs, () => this.feed({ type: 'timer' }));
      } else if (effect.type === 'grant') {
        this.request('grant', (isAnswered) => {
          if (!isAnswered) return this.feed({ type: 'failed', error: AWAY });
          this.leaseEpoch = this.world.etcd.epoch;
          return this.feed({ type: 'granted', leaseId: `${at}`, ttlMs: TTL_MS, at });
        });
      } else if (effect.type === 'sync') {
        this.sync(effect.renew, at);
      }
    }
  }

  private place(phase: string): void {
    const isInPlace = phase === 'resting' || (phase === 'syncing' && this.isInPlace);
    if (isInPlace === this.isInPlace) return;
    this.isInPlace = isInPlace;
    this.world.inPlace += isInPlace ? 1 : -1;
  }

  /** Renews the lease and checks the record together; a missing record is written after the check. */
  private sync(renew: boolean, at: number): void {
    const { etcd } = this.world;
    const isGone = (): boolean => this.leaseEpoch !== etcd.epoch;
    let [waiting, hasFailed, isRenewed] = [renew ? 2 : 1, false, false];
    let found: RecordObservation = { name: 'held' };
    const end = (isAnswered: boolean): void => {
      hasFailed ||= !isAnswered;
      if (--waiting > 0) return;
      const observations = new Map([['api/h:1', found]]);
      if (!hasFailed && isGone()) this.feed({ type: 'lease-gone' });
      else if (!hasFailed) this.feed({ type: 'synced', observations, at });
      else this.feed({ type: 'failed', error: AWAY, ...(isRenewed ? { renewedAt: at } : {}) });
    };
    if (renew) {
      this.request('renew', (isAnswered) => {
        isRenewed = isAnswered && !isGone();
        end(isAnswered);
      });
    }
    this.request('check', (isAnswered) => {
      if (!isAnswered || isGone() || this.recordEpoch === etcd.epoch) return end(isAnswered);
      return this.request('write', (isWritten) => {
        if (isWritten) this.recordEpoch = etcd.epoch;
        found = { name: 'written', displaced: undefined, updated: false };
        end(isWritten);
      });
    });
  }
}

class HerdWatch {
  private machine = INITIAL_WATCH_MACHINE;
  private cancelTimer: (() => void) | undefined;
  private stream = 0;
  private isInPlace = false;

  constructor(
    private readonly world: World,
    private readonly process: HerdProcess,
  ) {}

  /** Tells the watch that its connection has ended. */
  cut(): void {
    this.feed({ type: 'failed', error: AWAY });
  }

  feed(input: WatchInput): void {
    const { time, etcd, random } = this.world;
    const { watchCreateTimeoutMs: createTimeoutMs, relistIntervalMs } = DEFAULT_TIMINGS;
    const { machine, effects } = stepWatch(this.machine, input, {
      now: time.now(),
      prefix: 'api/',
      random,
      backoff: BACKOFF,
      createTimeoutMs,
      relistIntervalMs,
      createTimedOut: () => AWAY,
      disagreed: () => AWAY,
    });
    this.machine = machine;
    this.place(machine.phase.name);
    for (const effect of effects) {
      if (effect.type === 'timer') {
        this.cancelTimer?.();
        this.cancelTimer = time.setTimer(effect.delayMs, () => this.feed({ type: 'timer' }));
      } else if (effect.type === 'close') {
        this.stream++;
      } else if (effect.type === 'list') {
        this.process.request('list', (isAnswered) => {
          this.feed(isAnswered ? { type: 'listed', position: this.position() } : failed());
        });
      } else if (effect.type === 'open') {
        const stream = ++this.stream;
        etcd.request('open', (isAnswered) => {
          if (stream !== this.stream) return;
          this.feed(isAnswered ? { type: 'created', position: this.position() } : failed());
        });
      }
    }
  }

  private position() {
    const { epoch } = this.world.etcd;
    return { revision: BigInt(epoch), clusterId: `${epoch}` };
  }

  /** Counts the watch as in place or not. It stays in place during a periodic list, unless the list fails. */
  private place(phase: string): void {
    const isInPlace = phase === 'watching' || (phase !== 'backing-off' && this.isInPlace);
    if (isInPlace === this.isInPlace) return;
    this.isInPlace = isInPlace;
    this.world.inPlace += isInPlace ? 1 : -1;
  }
}

function failed(): WatchInput {
  return { type: 'failed', error: AWAY };
}

/** Simulates one outage of one herd. All random numbers follow from the seed. */
export async function simulateHerd(options: HerdOptions): Promise<HerdOutcome> {
  const { processes: count, services, fault, awayMs, cores, slowness = 1, seed } = options;
  const random = seededRandom(seed);
  const time = new VirtualTime();
  const etcd = new Etcd(time, random, cores, slowness);
  const world: World = { time, etcd, random, inPlace: 0 };
  const processes = Array.from({ length: count }, () => new HerdProcess(world, services));
  for (const process of processes) time.setTimer(random() * 35_000, () => process.start());
  await time.passUntil(60_000);

  const lostMs = time.now();
  if (fault === 'stalled') {
    etcd.stallUntil(lostMs + awayMs);
    for (const process of processes) cutByPings(process, awayMs, world);
    await time.passUntil(lostMs + awayMs);
    etcd.requests = 0;
    etcd.peak = 0;
  } else {
    etcd.up = false;
    for (const process of processes) {
      time.setTimer(random() * 50, () => process.watches.forEach((watch) => watch.cut()));
    }
    await time.passUntil(lostMs + awayMs);
    if (fault === 'wiped') etcd.epoch++;
    etcd.restart();
  }

  const backMs = time.now();
  const all = count * (services + 2);
  let [since, requests, peak] = [undefined as number | undefined, 0, 0];
  while (time.now() - backMs < GIVE_UP_MS) {
    await time.passUntil(time.now() + 250);
    const isWhole = world.inPlace === all && processes.every((each) => !each.reachability.isDown);
    if (!isWhole) since = undefined;
    else if (since === undefined) {
      since = time.now() - backMs;
      requests = etcd.requests;
      peak = etcd.peak;
    } else if (time.now() - backMs - since >= STEADY_MS) break;
  }
  if (since === undefined) [requests, peak] = [etcd.requests, etcd.peak];
  const least = 2 * count + 2 * count * (services + 1);
  return { backMs: since, requests, least, peakPerSecond: peak * 10 };
}

/** A ping every 10 s finds a connection dead that does not answer for 5 s: the watches of the process end. */
function cutByPings({ watches }: HerdProcess, awayMs: number, { time, random }: World): void {
  const { pingIntervalMs, pingTimeoutMs } = DEFAULT_TIMINGS;
  const cutMs = random() * pingIntervalMs + pingTimeoutMs;
  if (cutMs < awayMs) time.setTimer(cutMs, () => watches.forEach((watch) => watch.cut()));
}
