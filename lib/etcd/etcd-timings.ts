/** The times of registration and discovery on etcd, with their bounds and defaults. */
import type { BackoffPolicy } from '../core/backoff.js';
import { numberWithin, type ValueRule, wholeNumber } from '../core/values/value-rule.js';

/** Times of the lease, the watch and the connection. All have defaults that suit production. */
export interface EtcdTimings {
  /**
   * Keepalives per time to live, 2–20: with a lease of 10 s and 3, one is sent every 3.3 s. Default 3, as in
   * etcd's own client.
   */
  readonly keepalivesPerTtl?: number;
  /**
   * Spread of the keepalive interval as a share of it, 0–0.5, so that leases granted together drift apart.
   * Default 0.1.
   */
  readonly keepaliveJitter?: number;
  /** How long etcd may take to confirm a watch, in milliseconds, 100–60,000. Default 5,000. */
  readonly watchCreateTimeoutMs?: number;
  /**
   * Mean time between two full lists, in milliseconds, 1,000–86,400,000; each is drawn from ±50 % around it.
   * A full list corrects faults that no event signals. Default 60,000.
   */
  readonly relistIntervalMs?: number;
  /** Upper bound of the first delay before a retry, in milliseconds, 1–60,000. Default 200. */
  readonly backoffBaseMs?: number;
  /** Upper bound of every delay before a retry, in milliseconds, 1–3,600,000. Default 30,000. */
  readonly backoffCapMs?: number;
  /**
   * Mean time between two probes of an etcd that is away, in milliseconds, 50–60,000; each is drawn from
   * ±25 % around it. A probe is one small read per process; while etcd answers there are none. Default 1,000.
   */
  readonly probeIntervalMs?: number;
  /**
   * The time within which each process returns, at a random moment, to an etcd that was away, in
   * milliseconds, 0–60,000. It grows, up to 10,000, the longer etcd was away, and if etcd is lost again soon.
   * Default 500.
   */
  readonly returnSpreadMs?: number;
  /**
   * Time between two HTTP/2 pings on a connection with a watch or a request, in milliseconds, 5,000–600,000.
   * etcd treats pings at shorter intervals than 5 s as abuse. Default 10,000.
   */
  readonly pingIntervalMs?: number;
  /**
   * How long the answer to a ping may take until the connection counts as dead, in milliseconds, 100–60,000.
   * Default 5,000.
   */
  readonly pingTimeoutMs?: number;
}

/** All times, with the defaults filled in. */
export type ResolvedTimings = Required<EtcdTimings>;

/** The defaults of {@link EtcdTimings}. */
export const DEFAULT_TIMINGS: ResolvedTimings = {
  keepalivesPerTtl: 3,
  keepaliveJitter: 0.1,
  watchCreateTimeoutMs: 5_000,
  relistIntervalMs: 60_000,
  backoffBaseMs: 200,
  backoffCapMs: 30_000,
  probeIntervalMs: 1_000,
  returnSpreadMs: 500,
  pingIntervalMs: 10_000,
  pingTimeoutMs: 5_000,
};

/** The bounds of {@link EtcdTimings}, for options that a user wrote. */
export const TIMING_RULES: Readonly<Record<keyof EtcdTimings, ValueRule<number>>> = {
  keepalivesPerTtl: wholeNumber(2, 20),
  keepaliveJitter: numberWithin(0, 0.5),
  watchCreateTimeoutMs: wholeNumber(100, 60_000),
  relistIntervalMs: wholeNumber(1_000, 86_400_000),
  backoffBaseMs: wholeNumber(1, 60_000),
  backoffCapMs: wholeNumber(1, 3_600_000),
  probeIntervalMs: wholeNumber(50, 60_000),
  returnSpreadMs: wholeNumber(0, 60_000),
  pingIntervalMs: wholeNumber(5_000, 600_000),
  pingTimeoutMs: wholeNumber(100, 60_000),
};

/**
 * Lower bound of every delay before a retry, in milliseconds, unless base or cap are lower: very short random
 * delays would make a hot loop.
 */
const BACKOFF_FLOOR_MS = 50;

/** Fills in the defaults. */
export function resolveTimings(timings: EtcdTimings = {}): ResolvedTimings {
  const given = Object.entries(timings).filter(([, value]) => value !== undefined);
  return { ...DEFAULT_TIMINGS, ...(Object.fromEntries(given) as EtcdTimings) };
}

/** The backoff of lease and watch. */
export function timedBackoff({ backoffBaseMs, backoffCapMs }: ResolvedTimings): BackoffPolicy {
  const floorMs = Math.min(BACKOFF_FLOOR_MS, backoffBaseMs, backoffCapMs);
  return { baseMs: backoffBaseMs, capMs: backoffCapMs, floorMs };
}
