/** gRPC's outlier detection (gRFC A50) as options of ours. */
import type { OutlierOptions } from '../../balance/modifiers/outlier-detection.js';
import { type Fields, wholeNumber } from '../../core/values/value-rule.js';
import { DURATION_MS, jsonReader, LARGEST_UINT32, optional, readObject } from './json-reader.js';

const UINT32 = wholeNumber(0, LARGEST_UINT32);
const PERCENT = wholeNumber(0, 100);

/** The conditions of one of A50's algorithms for an ejection. */
interface Demand {
  /** By how much the share of failed calls must exceed that of the others. */
  readonly margin: number;
  /** Calls within an interval. */
  readonly volume: number;
}

/** Bounds of the client's own options, in milliseconds, calls and shares: a service may ask for no more. */
const SHORTEST_MS = 10;
const LONGEST_MS = 86_400_000;
const MOST_REQUESTS = 1_000_000;
const SMALLEST_MARGIN = 0.000_001;

/** A50 compares standard deviations alone and has no such margin. Ours ejects only above this one. */
const SUCCESS_RATE_MARGIN = 0.2;

/**
 * A50's fields as grpc-go reads them (`internal/xds/balancer/outlierdetection`), with its defaults, as far as our detection
 * has the same. What cannot be said in its terms:
 * - `stdevFactor` and `minimumHosts`: ours compares by the test of two proportions, which works from two endpoints on.
 * - `threshold` is a share of failures there, and here by how much it exceeds that of the others.
 * - `enforcementPercentage` is here all or, where 0, nothing.
 * - With both algorithms on, the one with the smaller margin counts.
 *
 * Times beyond what a client may ask for become the nearest it may.
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
    // A50 counts the calls of one interval.
    windowMs: intervalMs,
    baseEjectionMs,
    maxEjectionMs: Math.max(baseEjectionMs, maxEjectionMs),
    maxEjectedShare: percent / 100,
    failureMargin: clamp(demand.margin, SMALLEST_MARGIN, 1),
    minRequests,
    // A50 does not count consecutive failures. As many as the volume exceed every threshold.
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
  // No share of failures is above 100 %.
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
