/**
 * The `loadBalancingConfig` of a service config: gRPC's names for policies, and ours, as options of our balancer.
 * Source: grpc-proto `service_config.proto`; field names and defaults as grpc-go reads them.
 */
import type { OutlierOptions } from '../balance/outlier-detection.js';
import {
  type JsonObject,
  present,
  readArray,
  readDurationMs,
  readInteger,
  readNumber,
  readObject,
  readText,
  reject,
} from './json-reader.js';
import { knownPolicies, type LoadBalancingOptions } from './policies.js';

/** A policy that a service asks its clients for. */
export interface ServicePolicy {
  readonly options: LoadBalancingOptions;
  /** `undefined`: all endpoints. */
  readonly subsetSize: number | undefined;
}

/** How many policies may be wrapped into each other. */
const DEEPEST = 8;

/**
 * The first entry whose name is known, as gRPC demands. A known name with wrong fields is an error.
 *
 * @throws ServiceConfigError
 */
export function readServicePolicy(path: string, value: unknown, depth = 0): ServicePolicy {
  if (depth > DEEPEST) return reject(path, '...', `policies nested ${DEEPEST} deep at most`);
  const entries = readArray(path, value).map((entry, at) => {
    const [name, ...others] = Object.keys(readObject(`${path}[${at}]`, entry));
    if (name === undefined || others.length > 0)
      return reject(`${path}[${at}]`, entry, 'an object with exactly one policy');
    return { name, fields: (entry as JsonObject)[name], at };
  });
  for (const { name, fields, at } of entries) {
    const read = readerOf(name);
    if (read === undefined) continue;
    const place = `${path}[${at}].${name}`;
    return read(place, readObject(place, fields ?? {}), depth);
  }
  const names = entries.map(({ name }) => name).join(', ');
  return reject(
    path,
    names,
    `at least one of ${[...Object.keys(GRPC), ...knownPolicies()].join(', ')}`,
  );
}

type PolicyReader = (path: string, fields: JsonObject, depth: number) => ServicePolicy;

function readerOf(name: string): PolicyReader | undefined {
  if (Object.hasOwn(GRPC, name)) return GRPC[name];
  return knownPolicies().includes(name)
    ? (path, fields) => plain({ policy: name, ...readOwnFields(path, name, fields) })
    : undefined;
}

/** gRPC's names where they are not ours, or their fields differ. */
const GRPC: Readonly<Record<string, PolicyReader>> = {
  least_request_experimental: (path, fields) => {
    // Two choices are what the policy is about; more are gRPC's option, and not ours.
    readInteger(`${path}.choiceCount`, fields['choiceCount'], 2, 100);
    return plain({ policy: 'least_request' });
  },
  ring_hash_experimental: (path, fields) => {
    readInteger(`${path}.minRingSize`, fields['minRingSize'], 1, 8_388_608);
    readInteger(`${path}.maxRingSize`, fields['maxRingSize'], 1, 8_388_608);
    const header = readText(`${path}.requestHashHeader`, fields['requestHashHeader']);
    return plain({
      policy: 'consistent_hash',
      // gRFC A42 knows no bound on the load.
      loadFactor: Infinity,
      ...(header === undefined || header === '' ? {} : { hashKey: header.toLowerCase() }),
    });
  },
  random_subsetting_experimental: (path, fields, depth) => {
    const size = readInteger(`${path}.subsetSize`, fields['subsetSize'] ?? null, 1, 100_000);
    const child = readServicePolicy(`${path}.childPolicy`, fields['childPolicy'], depth + 1);
    return { ...child, subsetSize: size };
  },
  outlier_detection_experimental: (path, fields, depth) => {
    const child = readServicePolicy(`${path}.childPolicy`, fields['childPolicy'], depth + 1);
    const outlierDetection = readOutliers(path, fields);
    return { ...child, options: { ...child.options, outlierDetection } };
  },
};

/**
 * gRFC A50's fields, as far as our detection has the same: interval, times, cap, and what a share of failures must be to
 * tell. Which statistics are used is ours (see `stepOutliers`); with neither kind of ejection asked for there is none.
 */
function readOutliers(path: string, fields: JsonObject): OutlierOptions | boolean {
  const percent = readInteger(`${path}.maxEjectionPercent`, fields['maxEjectionPercent'], 0, 100);
  const rate = readEjection(`${path}.successRateEjection`, fields['successRateEjection']);
  const share = readEjection(
    `${path}.failurePercentageEjection`,
    fields['failurePercentageEjection'],
  );
  const times = {
    intervalMs: readDurationMs(`${path}.interval`, fields['interval']) ?? 10_000,
    baseEjectionMs:
      readDurationMs(`${path}.baseEjectionTime`, fields['baseEjectionTime']) ?? 30_000,
    maxEjectionMs: readDurationMs(`${path}.maxEjectionTime`, fields['maxEjectionTime']) ?? 300_000,
    maxEjectedShare: (percent ?? 10) / 100,
  };
  if (rate === undefined && share === undefined) return false;
  const threshold = share?.['threshold'];
  const volume = share?.['requestVolume'] ?? rate?.['requestVolume'];
  return {
    ...times,
    ...(typeof threshold === 'number' && threshold > 0 ? { failureMargin: threshold / 100 } : {}),
    ...(typeof volume === 'number' && volume > 0 ? { minRequests: volume } : {}),
  };
}

function readEjection(path: string, value: unknown): JsonObject | undefined {
  if (value === undefined) return undefined;
  const fields = readObject(path, value);
  readInteger(`${path}.enforcementPercentage`, fields['enforcementPercentage'], 0, 100);
  readInteger(`${path}.minimumHosts`, fields['minimumHosts'], 0, 1_000_000);
  readInteger(`${path}.requestVolume`, fields['requestVolume'], 0, 1_000_000);
  if ('threshold' in fields) readInteger(`${path}.threshold`, fields['threshold'], 0, 100);
  return fields;
}

function readOwnFields(path: string, policy: string, fields: JsonObject): LoadBalancingOptions {
  if (policy === 'peak_ewma') {
    return present({
      decayMs: readNumber(`${path}.decayMs`, fields['decayMs'], 1, 600_000),
      failurePenalty: readNumber(`${path}.failurePenalty`, fields['failurePenalty'], 0, 1_000_000),
    });
  }
  if (policy !== 'consistent_hash') return {};
  return present({
    hashKey: readText(`${path}.hashKey`, fields['hashKey'] ?? null),
    loadFactor: readNumber(`${path}.loadFactor`, fields['loadFactor'], 1.001, 1_000_000),
    freeInFlight: readInteger(`${path}.freeInFlight`, fields['freeInFlight'], 0, 1_000_000),
  });
}

function plain(options: LoadBalancingOptions): ServicePolicy {
  return { options, subsetSize: undefined };
}
