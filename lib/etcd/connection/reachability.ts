/**
 * Tracks whether etcd answers, from every request of this process; while no request is answered, a small read
 * (the probe) checks it.
 */
import { type Observable, Subject } from 'rxjs';
import type { CancelTimer, Clock, Random } from '../../core/clock.js';
import type { ResolvedTimings } from '../etcd-timings.js';

/** What {@link Reachability} needs. */
interface ReachabilityOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly timings: Pick<ResolvedTimings, 'probeIntervalMs' | 'returnSpreadMs'>;
  /** Sends the probe. Like every request it reports its outcome with `answered` or `lost`. */
  readonly probe: () => Promise<unknown>;
}

/**
 * Mean delay of the first probe after etcd was lost, in milliseconds; the delay doubles with each probe, up
 * to `probeIntervalMs`.
 */
const FIRST_PROBE_MS = 100;
/**
 * Processes come back to etcd spread over a time, here called the spread. It starts at `returnSpreadMs`, and
 * grows by this factor with each second of the outage: from the default 0.5 s to 2.6 s after 10 s, and 9.8 s
 * after 18 s.
 */
const GROWTH_PER_SECOND = 1.18;
/**
 * The spread also grows by this factor with each relapse: etcd was lost again soon after the processes came
 * back to it.
 */
const GROWTH_PER_RELAPSE = 4;
/**
 * The longest time to which the spread grows, in milliseconds; a longer `returnSpreadMs` is not shortened.
 */
const MAX_SPREAD_MS = 10_000;
/**
 * A loss of etcd is a relapse if it comes within this time after the process came back to etcd, in
 * milliseconds.
 */
const STEADY_MS = 10_000;

/** Knows whether any member answers, and probes while none does. */
export class Reachability {
  private readonly back = new Subject<void>();
  private down = false;
  private silent = false;
  private lastFailure: unknown;
  private returnedAt = -Infinity;
  private answeredAt: number | undefined;
  /** How many relapses there were since `lostAt`. */
  private relapses = 0;
  /** When etcd was lost; a relapse does not change it. */
  private lostAt = 0;
  /** How many probes were sent since `lostAt`. */
  private probes = 0;
  private closed = false;
  private cancelTimer: CancelTimer | undefined;

  constructor(private readonly options: ReachabilityOptions) {}

  /**
   * Fires when etcd answers again after it was lost, at a random moment within `returnSpreadMs`. That time
   * grows, up to 10 s, with the time that etcd was away and with every relapse within 10 s: too many
   * processes that come back to etcd at once can overload it.
   */
  get back$(): Observable<void> {
    return this.back.asObservable();
  }

  /** Whether no member answered the last request. */
  get isDown(): boolean {
    return this.down;
  }

  /** Whether etcd is down or suspect: a request that had only a short time was not answered. */
  get isSilent(): boolean {
    return this.down || this.silent;
  }

  /** The error of the last request that no member answered. */
  get failure(): unknown {
    return this.lastFailure;
  }

  /** Records that a member answered; a refusal is an answer, too. */
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
   * Makes etcd suspect, because it did not answer a request. The next answer of any member ends that.
   *
   * @param sinceMs when the request began. etcd does not become suspect if it has answered another request
   *   since then, because then the network is slow; nor if it has never answered, because then the connection
   *   is still being opened. Default: etcd becomes suspect in any case
   */
  doubt(sinceMs = Infinity): void {
    if (sinceMs < Infinity && (this.answeredAt ?? Infinity) >= sinceMs && !this.down) return;
    this.silent = true;
  }

  /** Records that no member answered. */
  lost(failure: unknown): void {
    this.lastFailure = failure;
    if (this.down) return;
    this.down = true;
    // After a relapse the delays between probes go on growing: an etcd that answers and fails in turn gets no
    // more probes than one that is gone.
    const now = this.options.clock.now();
    const isRelapse = now - this.returnedAt <= STEADY_MS;
    this.relapses = isRelapse ? this.relapses + 1 : 0;
    if (!isRelapse) {
      this.lostAt = now;
      this.probes = 0;
    }
    this.scheduleProbe();
  }

  /** Stops probing; `back$` completes. */
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
