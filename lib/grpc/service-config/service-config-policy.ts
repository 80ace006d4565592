/**
 * The `loadBalancingConfig` of a service config: gRPC's names for policies, and ours, as options of our balancer.
 * Source: grpc-proto `service_config.proto`; field names and defaults as grpc-go reads them.
 */
import {
  type JsonObject,
  LARGEST_UINT32,
  optional,
  present,
  readArray,
  readEntries,
  readInteger,
  readNumber,
  readObject,
  readText,
  reject,
  required,
} from './json-reader.js';
import { isTextMetadataKey, TEXT_METADATA_KEY } from '../metadata-key.js';
import { knownPolicies, type LoadBalancingOptions } from '../balancer/policies.js';
import { readOutliers } from './service-config-outliers.js';

/** A policy that a service asks its clients for. */
export interface ServicePolicy {
  readonly options: LoadBalancingOptions;
  /** `undefined`: all endpoints. */
  readonly subsetSize: number | undefined;
}

/** How many policies may be wrapped into each other. */
const DEEPEST = 8;

/** The most endpoints a client may ask for; of more, a service gets as many. */
const LARGEST_SUBSET = 100_000;

/** gRFC A42. */
const LARGEST_RING = 8_388_608;
const DEFAULT_SMALLEST_RING = 1_024;
const DEFAULT_LARGEST_RING = 4_096;

/**
 * The first entry whose name is known, as gRPC demands. A known name with wrong fields is an error; what stands behind it
 * is not looked at.
 *
 * @throws ServiceConfigError
 */
export function readServicePolicy(path: string, value: unknown, depth = 0): ServicePolicy {
  if (depth > DEEPEST) return reject(path, '...', `policies nested ${DEEPEST} deep at most`);
  const entries = readArray(path, value).map((entry, at) => readEntries(`${path}[${at}]`, entry));
  const names: string[] = [];
  for (const [at, [entry, ...others]] of entries.entries()) {
    const place = `${path}[${at}]`;
    if (entry === undefined || others.length > 0)
      return reject(place, readArray(path, value)[at], 'an object with exactly one policy');
    const [name, fields] = entry;
    const read = readerOf(name);
    if (read !== undefined) {
      return read(`${place}.${name}`, readObject(`${place}.${name}`, fields ?? {}), depth);
    }
    names.push(name);
  }
  return reject(
    path,
    names.join(', '),
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
    optional(readInteger, path, fields, 'choiceCount', 2, LARGEST_UINT32);
    return plain({ policy: 'least_request' });
  },
  ring_hash_experimental: (path, fields) => {
    checkRing(path, fields);
    const header = optional(readText, path, fields, 'requestHashHeader')?.toLowerCase() ?? '';
    return plain({
      policy: 'consistent_hash',
      // gRFC A42 knows no bound on the load.
      loadFactor: Infinity,
      ...(header === '' ? {} : { hashKey: readMetadataKey(`${path}.requestHashHeader`, header) }),
    });
  },
  random_subsetting_experimental: (path, fields, depth) => {
    const size = required(readInteger, path, fields, 'subsetSize', 1, LARGEST_UINT32);
    const child = readServicePolicy(`${path}.childPolicy`, fields['childPolicy'], depth + 1);
    return { ...child, subsetSize: Math.min(size, LARGEST_SUBSET) };
  },
  outlier_detection_experimental: (path, fields, depth) => {
    const child = readServicePolicy(`${path}.childPolicy`, fields['childPolicy'], depth + 1);
    const outlierDetection = readOutliers(path, fields);
    return { ...child, options: { ...child.options, outlierDetection } };
  },
};

/** The size of a ring is gRPC's affair, not ours: it is only held to what gRPC takes. */
function checkRing(path: string, fields: JsonObject): void {
  const [smallest, largest] = [
    optional(readInteger, path, fields, 'minRingSize', 0, LARGEST_RING) || DEFAULT_SMALLEST_RING,
    optional(readInteger, path, fields, 'maxRingSize', 0, LARGEST_RING) || DEFAULT_LARGEST_RING,
  ];
  if (smallest > largest) {
    reject(`${path}.minRingSize`, smallest, `at most maxRingSize (${largest})`);
  }
}

function readMetadataKey(path: string, value: unknown): string {
  const key = readText(path, value);
  return isTextMetadataKey(key) ? key : reject(path, key, TEXT_METADATA_KEY);
}

function readOwnFields(path: string, policy: string, fields: JsonObject): LoadBalancingOptions {
  if (policy === 'peak_ewma') {
    return present({
      decayMs: optional(readNumber, path, fields, 'decayMs', 1, 600_000),
      failurePenalty: optional(readNumber, path, fields, 'failurePenalty', 0, 1_000_000),
    });
  }
  if (policy !== 'consistent_hash') return {};
  return present({
    hashKey: required(readMetadataKey, path, fields, 'hashKey'),
    loadFactor: optional(readNumber, path, fields, 'loadFactor', 1.001, 1_000_000),
    freeInFlight: optional(readInteger, path, fields, 'freeInFlight', 0, 1_000_000),
  });
}

function plain(options: LoadBalancingOptions): ServicePolicy {
  return { options, subsetSize: undefined };
}
