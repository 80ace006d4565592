/** Translates gRPC's outlier detection (gRFC A50) into this library's options. */
import type { OutlierOptions } from '../../balance/modifiers/outlier-detection.js';
import { type Fields, wholeNumber } from '../../core/values/value-rule.js';
import { DURATION_MS, jsonReader, LARGEST_UINT32, optional, readObject } from './json-reader.js';

const UINT32 = wholeNumber(0, LARGEST_UINT32);
const PERCENT = wholeNumber(0, 100);

/** When one of A50's algorithms ejects an endpoint. */
interface Demand {
  /** An endpoint is ejected only if its share of failed calls exceeds the others' by more than this (0–1). */
  readonly margin: number;
  /** An endpoint is ejected only if it had at least this many calls within an interval. */
  readonly volume: number;
}

/**
 * Bounds of the client's own options, in milliseconds, calls and shares. Values of a service are cut to them.
 */
const SHORTEST_MS = 10;
const LONGEST_MS = 86_400_000;
const MOST_REQUESTS = 1_000_000;
const SMALLEST_MARGIN = 0.000_001;

/** The margin for A50's success rate algorithm, which has none: it compares standard deviations alone. */
const SUCCESS_RATE_MARGIN = 0.2;

/**
 * Reads A50's fields as grpc-go does (`internal/xds/balancer/outlierdetection`), with its defaults, and
 * translates the fields for which this library's detection has an option, too. The differences:
 * - `stdevFactor` and `minimumHosts` are not used: this library compares by the test of two proportions,
 *   which works from two endpoints on.
 * - `threshold` is a share of failures in A50; here it is by how much the share exceeds that of the others.
 * - `enforcementPercentage` 0 switches an algorithm off; any other value counts as 100.
 * - With both algorithms on, the one with the smaller margin counts.
 *
 * Times beyond the bounds of the client's own options become the nearest bound.
 *
 * @returns `false`: no endpoint is ever ejected
 */
export function readOutliers(path: string, fields: Fields): OutlierOptions | false {
  const intervalMs = readTimeMs(path, fields, 'interval', 10_000);
  const baseEjectionMs = readTimeMs(path, fields, 'baseEjectionTime', 30_000);
  const maxEjectionMs = readTimeMs(path, fields, 'maxEjectionTime', 300_000);
  const percent = readPercent(path, fields, 'maxEjectionPercent', 10);
  const successRate = optional(readSuccessRate, path, fields, 'successRateEjection');
  const failures = optional(readFailurePercentage, path, fields, 'failurePercentageEjection');
  const [demand] = [successRate, failures]
    .filter((one) => one !== undefined && one !== 'off')
    .sort((one, other) => one.margin - other.margin);
  if (demand === undefined || percent === 0) return false;
  const minRequests = clamp(demand.volume, 1, MOST_REQUESTS);
  return {
    intervalMs,
    // A50 judges the calls of one interval.
    windowMs: intervalMs,
    baseEjectionMs,
    maxEjectionMs: Math.max(baseEjectionMs, maxEjectionMs),
    maxEjectedShare: percent / 100,
    failureMargin: Math.max(demand.margin, SMALLEST_MARGIN),
    minRequests,
    // A50 does not count consecutive failures. `minRequests` failures in a row exceed every threshold of A50.
    consecutiveFailures: minRequests,
  };
}

function readSuccessRate(path: string, value: unknown): Demand | 'off' {
  const fields = readObject(path, value);
  optional(UINT32, path, fields, 'stdevFactor');
  const volume = readVolume(path, fields, 100);
  const isEnforced = readPercent(path, fields, 'enforcementPercentage', 100) > 0;
  return isEnforced ? { margin: SUCCESS_RATE_MARGIN, volume } : 'off';
}

function readFailurePercentage(path: string, value: unknown): Demand | 'off' {
  const fields = readObject(path, value);
  const threshold = readPercent(path, fields, 'threshold', 85);
  const volume = readVolume(path, fields, 50);
  const isEnforced = readPercent(path, fields, 'enforcementPercentage', 0) > 0;
  // A threshold of 100 % ejects no endpoint: no share of failures is larger.
  return isEnforced && threshold < 100 ? { margin: threshold / 100, volume } : 'off';
}

function readVolume(path: string, fields: Fields, unset: number): number {
  optional(UINT32, path, fields, 'minimumHosts');
  return optional(UINT32, path, fields, 'requestVolume') ?? unset;
}

function readPercent(path: string, fields: Fields, name: string, unset: number): number {
  return optional(PERCENT, path, fields, name) ?? unset;
}

function readTimeMs(path: string, fields: Fields, name: string, unsetMs: number): number {
  const milliseconds = optional(DURATION_MS, path, fields, name) ?? unsetMs;
  if (milliseconds < 0) {
    return jsonReader.reject(`${path}.${name}`, fields[name], 'a duration of 0 or more');
  }
  return clamp(milliseconds, SHORTEST_MS, LONGEST_MS);
}

function clamp(value: number, minimum: number, maximum: number): number {
  return Math.min(Math.max(value, minimum), maximum);
}
