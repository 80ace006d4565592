/**
 * Reads the `loadBalancingConfig` of a service config: policies under gRPC's names and ours become options of
 * our balancer.
 * Source: grpc-proto `service_config.proto`; field names and defaults as grpc-go reads them.
 */
import {
  numberRule,
  type PolicyDefinition,
  type PolicyOption,
} from '../../balance/policy-definition.js';
import type { PolicyTable } from '../../balance/policy-table.js';
import { ANY_TEXT, type Fields, wholeNumber } from '../../core/values/value-rule.js';
import {
  ARRAY,
  jsonReader,
  LARGEST_UINT32,
  optional,
  present,
  readEntries,
  readObject,
  required,
} from './json-reader.js';
import { isTextMetadataKey, TEXT_METADATA_KEY } from '../metadata-key.js';
import { type LoadBalancingOptions, POLICIES } from '../balancer/policies.js';
import { readOutliers } from './service-config-outliers.js';

/** A policy that a service asks its clients for. */
export interface ServicePolicy {
  readonly options: LoadBalancingOptions;
  /** The size of each client's subset; `undefined`: all endpoints. */
  readonly subsetSize: number | undefined;
}

/** How deep policies may be nested. */
const DEEPEST = 8;

/** The largest subset that a client may ask for; a larger one of a service counts as this size. */
const LARGEST_SUBSET = 100_000;

/** The bounds of gRPC's ring sizes (gRFC A42). */
const RING_SIZE = wholeNumber(0, 8_388_608);
const DEFAULT_SMALLEST_RING = 1_024;
const DEFAULT_LARGEST_RING = 4_096;

const CHOICES = wholeNumber(2, LARGEST_UINT32);
const SUBSET_SIZE = wholeNumber(1, LARGEST_UINT32);

/**
 * Reads the first entry whose name is known, as gRPC demands. A known name with wrong fields is an error; the
 * entries after it are not read.
 *
 * @throws ServiceConfigError
 */
export function readServicePolicy(
  path: string,
  value: unknown,
  policies: PolicyTable = POLICIES,
  depth = 0,
): ServicePolicy {
  if (depth > DEEPEST)
    return jsonReader.reject(path, '...', `policies nested ${DEEPEST} deep at most`);
  const list = jsonReader.required(path, value, ARRAY);
  const entries = list.map((entry, at) => readEntries(`${path}[${at}]`, entry));
  const names: string[] = [];
  for (const [at, [entry, ...others]] of entries.entries()) {
    const place = `${path}[${at}]`;
    if (entry === undefined || others.length > 0)
      return jsonReader.reject(place, list[at], 'an object with exactly one policy');
    const [name, fields] = entry;
    const read = readerOf(name, policies);
    if (read !== undefined) {
      return read(
        `${place}.${name}`,
        readObject(`${place}.${name}`, fields ?? {}),
        policies,
        depth,
      );
    }
    names.push(name);
  }
  return jsonReader.reject(
    path,
    names.join(', '),
    `at least one of ${[...Object.keys(GRPC), ...policies.names].join(', ')}`,
  );
}

type PolicyReader = (
  path: string,
  fields: Fields,
  policies: PolicyTable,
  depth: number,
) => ServicePolicy;

function readerOf(name: string, policies: PolicyTable): PolicyReader | undefined {
  if (Object.hasOwn(GRPC, name)) return GRPC[name];
  const definition = policies.find(name);
  return definition === undefined
    ? undefined
    : (path, fields) => plain({ policy: name, ...readOptions(path, definition, fields) });
}

/** Readers of gRPC's policies whose names or fields differ from ours. */
const GRPC: Readonly<Record<string, PolicyReader>> = {
  least_request_experimental: (path, fields) => {
    // Our policy always draws two endpoints: gRPC's option is checked and not used.
    optional(CHOICES, path, fields, 'choiceCount');
    return plain({ policy: 'least_request' });
  },
  ring_hash_experimental: (path, fields) => {
    checkRing(path, fields);
    const header = optional(ANY_TEXT, path, fields, 'requestHashHeader')?.toLowerCase() ?? '';
    return plain({
      policy: 'consistent_hash',
      // gRFC A42 has no bound on the load.
      loadFactor: Infinity,
      ...(header === '' ? {} : { hashKey: readMetadataKey(`${path}.requestHashHeader`, header) }),
    });
  },
  random_subsetting_experimental: (path, fields, policies, depth) => {
    const size = required(SUBSET_SIZE, path, fields, 'subsetSize');
    const child = readServicePolicy(
      `${path}.childPolicy`,
      fields['childPolicy'],
      policies,
      depth + 1,
    );
    return { ...child, subsetSize: Math.min(size, LARGEST_SUBSET) };
  },
  outlier_detection_experimental: (path, fields, policies, depth) => {
    const child = readServicePolicy(
      `${path}.childPolicy`,
      fields['childPolicy'],
      policies,
      depth + 1,
    );
    const outlierDetection = readOutliers(path, fields);
    return { ...child, options: { ...child.options, outlierDetection } };
  },
};

/** Our ring has a size of its own: gRPC's sizes are checked by gRPC's bounds and not used. */
function checkRing(path: string, fields: Fields): void {
  const [smallest, largest] = [
    optional(RING_SIZE, path, fields, 'minRingSize') || DEFAULT_SMALLEST_RING,
    optional(RING_SIZE, path, fields, 'maxRingSize') || DEFAULT_LARGEST_RING,
  ];
  if (smallest > largest) {
    jsonReader.reject(`${path}.minRingSize`, smallest, `at most maxRingSize (${largest})`);
  }
}

function readMetadataKey(path: string, value: unknown): string {
  const key = jsonReader.required(path, value, ANY_TEXT);
  return isTextMetadataKey(key) ? key : jsonReader.reject(path, key, TEXT_METADATA_KEY);
}

/** Reads the options of a policy. Other fields are ignored, as in gRPC. */
function readOptions(
  path: string,
  definition: PolicyDefinition,
  fields: Fields,
): LoadBalancingOptions {
  const read = Object.entries(definition.options).map(
    ([name, option]) => [name, readOption(path, fields, name, option)] as const,
  );
  return present(Object.fromEntries(read));
}

function readOption(
  path: string,
  fields: Fields,
  name: string,
  option: PolicyOption,
): string | number | undefined {
  if (option.kind === 'hashKey') return required(readMetadataKey, path, fields, name);
  const { maximum, publishedMaximum = maximum } = option;
  return optional(numberRule({ ...option, maximum: publishedMaximum }), path, fields, name);
}

function plain(options: LoadBalancingOptions): ServicePolicy {
  return { options, subsetSize: undefined };
}
