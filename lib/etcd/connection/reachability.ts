/** Whether etcd answers: what the requests of this process found, and what one small read finds out while they find nobody. */
import { type Observable, Subject } from 'rxjs';
import type { CancelTimer, Clock, Random } from '../../core/clock.js';
import type { ResolvedTimings } from '../etcd-timings.js';

/** What reachability is found out with. */
export interface ReachabilityOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly timings: Pick<ResolvedTimings, 'probeIntervalMs' | 'returnSpreadMs'>;
  /** A request that tells how it went as every other one does: by `answered` or `lost`. */
  readonly probe: () => Promise<unknown>;
}

/** Mean time until the first look after etcd was lost, in milliseconds; doubles with each up to `probeIntervalMs`. */
const FIRST_PROBE_MS = 100;
/** The time over which processes return grows by this with each second that etcd was away: 2.6 s after 10 s, 10 s after 18 s, */
const GROWTH_PER_SECOND = 1.18;
/** and by this where etcd was lost again soon after they had returned to it. */
const GROWTH_PER_RELAPSE = 4;
/** The longest time over which processes return, in milliseconds; `returnSpreadMs` where that is more. */
const MAX_SPREAD_MS = 10_000;
/** How long etcd has to answer until the next loss counts as a new one, in milliseconds. */
const STEADY_MS = 10_000;

/** Remembers whether somebody answers, and looks for somebody while nobody does. */
export class Reachability {
  private readonly back = new Subject<void>();
  private down = false;
  private silent = false;
  private lastFailure: unknown;
  private returnedAt = -Infinity;
  private answeredAt: number | undefined;
  /** How often etcd was lost again before it was steady. */
  private relapses = 0;
  /** When it was lost, before the first of its relapses. */
  private lostAt = 0;
  /** How often was looked since then. */
  private probes = 0;
  private closed = false;
  private cancelTimer: CancelTimer | undefined;

  constructor(private readonly options: ReachabilityOptions) {}

  /**
   * Fires when etcd answers again after it was lost, within `returnSpreadMs`. That grows up to 10 s the longer etcd was away, and where
   * it is lost again within 10 s, as by too many processes that return at once.
   */
  get back$(): Observable<void> {
    return this.back.asObservable();
  }

  /** Whether no member answered when last asked. */
  get isDown(): boolean {
    return this.down;
  }

  /** Whether it is down, or may be: something was waited for in vain, if not for long. */
  get isSilent(): boolean {
    return this.down || this.silent;
  }

  /** Why it is down. */
  get failure(): unknown {
    return this.lastFailure;
  }

  /** A member answered, be it with a refusal. */
  answered(): void {
    const { clock, random, timings } = this.options;
    this.silent = false;
    this.answeredAt = clock.now();
    if (!this.down || this.closed) return;
    this.down = false;
    this.cancelTimer?.();
    // Thousands of processes that lost etcd together must not come back to it in one moment.
    const awayMs = this.answeredAt - this.lostAt;
    const delayMs = random() * this.spreadMs(timings.returnSpreadMs, awayMs);
    this.returnedAt = this.answeredAt + delayMs;
    this.cancelTimer = clock.setTimer(delayMs, () => this.back.next());
  }

  /**
   * Something was waited for without an answer. Any answer of any member dispels it.
   *
   * @param sinceMs when the waiting began: what was answered since then was not meant, and a network is slow rather than silent. Nor is
   *   one silent that has not answered at all so far: the connection is being opened. Default: nothing of that counts
   */
  doubt(sinceMs = Infinity): void {
    if (sinceMs < Infinity && (this.answeredAt ?? Infinity) >= sinceMs && !this.down) return;
    this.silent = true;
  }

  /** No member answered. */
  lost(failure: unknown): void {
    this.lastFailure = failure;
    if (this.down) return;
    this.down = true;
    // One that answers and fails in turn is looked at no more often than one that is gone.
    const now = this.options.clock.now();
    const isRelapse = now - this.returnedAt <= STEADY_MS;
    this.relapses = isRelapse ? this.relapses + 1 : 0;
    if (!isRelapse) {
      this.lostAt = now;
      this.probes = 0;
    }
    this.scheduleProbe();
  }

  /** Looks no more, and tells nothing. */
  close(): void {
    this.closed = true;
    this.cancelTimer?.();
    this.back.complete();
  }

  private spreadMs(firstMs: number, awayMs: number): number {
    const byTime = GROWTH_PER_SECOND ** (awayMs / 1_000);
    const grownMs = firstMs * byTime * GROWTH_PER_RELAPSE ** this.relapses;
    return Math.max(firstMs, Math.min(grownMs, MAX_SPREAD_MS));
  }

  private scheduleProbe(): void {
    const { clock, random, timings, probe } = this.options;
    const meanMs = Math.min(timings.probeIntervalMs, FIRST_PROBE_MS * 2 ** this.probes);
    this.probes = Math.min(this.probes + 1, 16);
    this.cancelTimer?.();
    this.cancelTimer = clock.setTimer(meanMs * (0.75 + 0.5 * random()), () => {
      probe()
        .catch(() => {})
        .finally(() => {
          if (this.down && !this.closed) this.scheduleProbe();
        });
    });
  }
}
