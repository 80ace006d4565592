/** Checks the `loadBalancing` option of a client. */
import {
  numberRule,
  type PolicyDefinition,
  type PolicyOption,
} from '../../balance/policy-definition.js';
import { neededOptions, type PolicyTable } from '../../balance/policy-table.js';
import { isTextMetadataKey, TEXT_METADATA_KEY } from '../../grpc/metadata-key.js';
import {
  DEFAULT_LOAD_BALANCING,
  type LoadBalancingOptions,
  POLICIES,
} from '../../grpc/balancer/policies.js';
import {
  inWords,
  nameAmong,
  numberWithin,
  ruleOf,
  TEXT,
  type ValueRule,
  wholeNumber,
} from '../../core/values/value-rule.js';
import { optionReader } from './option-reader.js';

const HASH_KEY: ValueRule<string> = {
  read: (value) => (typeof value === 'string' && isTextMetadataKey(value) ? value : undefined),
  allowed: () => `${TEXT_METADATA_KEY}, or a function of the request`,
};

const LOCALITY_RULES = {
  zone: TEXT,
  overprovisioning: numberWithin(1, 100),
  trafficShare: numberWithin(0.000_001, 1),
};
const SLOW_START_RULES = {
  windowMs: numberWithin(1, 3_600_000),
  aggression: numberWithin(0.01, 100),
  minWeight: numberWithin(0.000_001, 1),
};
const DETECTION_MS = numberWithin(10, 86_400_000);
const DETECTION_COUNT = wholeNumber(1, 1_000_000);
const OUTLIER_RULES = {
  consecutiveFailures: DETECTION_COUNT,
  failureMargin: numberWithin(0.000_001, 1),
  minRequests: DETECTION_COUNT,
  windowMs: DETECTION_MS,
  intervalMs: DETECTION_MS,
  baseEjectionMs: DETECTION_MS,
  maxEjectionMs: DETECTION_MS,
  maxEjectedShare: numberWithin(0, 1),
};
const HEALTH_CHECK = inWords('true, false, or the name of a service', TEXT);

const MATCH_RULES = {
  version: TEXT,
  zone: TEXT,
  metadata: ruleOf(
    'an object of strings, numbers and booleans',
    (value): value is Readonly<Record<string, string | number | boolean>> =>
      typeof value === 'object' &&
      value !== null &&
      !Array.isArray(value) &&
      Object.values(value).every((one) => ['string', 'number', 'boolean'].includes(typeof one)),
  ),
};
const SHARE = numberWithin(0, 1);
const HEADER_RULES = {
  name: ruleOf(
    TEXT_METADATA_KEY,
    // gRPC compares metadata keys in lower case.
    (value): value is string => typeof value === 'string' && isTextMetadataKey(value.toLowerCase()),
  ),
  value: TEXT,
};

/** The options that modify a policy; every modifier works with every policy. */
const MODIFIERS = ['locality', 'slowStart', 'outlierDetection', 'routing', 'healthCheck'] as const;
type Given = Readonly<Partial<Record<string, unknown>>>;

/**
 * Checks the option, which is a policy's name or an object with options, and returns it as an object.
 *
 * @param policies the policies that the client may choose from
 * @throws DiscoveryError `INVALID_OPTION`
 */
export function validateLoadBalancing(
  option: string,
  value: unknown,
  policies: PolicyTable = POLICIES,
): LoadBalancingOptions {
  if (typeof value === 'string') {
    const needed = neededOptions(requirePolicy(option, value, policies));
    if (needed.length > 0) {
      const fields = ['policy', ...needed].join(' and ');
      optionReader.reject(option, value, `an object with ${fields}, which this policy needs`);
    }
    return { policy: value };
  }
  if (typeof value !== 'object' || value === null) {
    return optionReader.reject(option, value, `${policies.names.join(', ')}, or an object`);
  }
  const fields = ['policy', ...policies.optionNames, ...MODIFIERS];
  const given: Given = optionReader.fields(option, value, fields);
  const { policy = DEFAULT_LOAD_BALANCING } = given;
  const definition = requirePolicy(`${option}.policy`, policy, policies);
  checkOwners(option, given, definition, policies);
  for (const [name, rule] of Object.entries(definition.options)) {
    checkPolicyOption(`${option}.${name}`, given[name], rule);
  }
  checkModifiers(option, given);
  return value;
}

function requirePolicy(option: string, value: unknown, policies: PolicyTable): PolicyDefinition {
  return policies.find(optionReader.required(option, value, nameAmong(policies.names)))!;
}

/** Rejects an option that belongs to another policy: the chosen policy would ignore it. */
function checkOwners(
  option: string,
  given: Given,
  { name: policy }: PolicyDefinition,
  policies: PolicyTable,
): void {
  for (const name of policies.optionNames) {
    const owners = policies.ownersOf(name);
    if (given[name] === undefined || owners.includes(policy)) continue;
    optionReader.reject(
      `${option}.${name}`,
      `set with policy ${policy}`,
      `policy ${owners.join(' or ')} only`,
    );
  }
}

function checkPolicyOption(option: string, value: unknown, rule: PolicyOption): void {
  if (rule.kind !== 'hashKey') optionReader.optional(option, value, numberRule(rule));
  else if (typeof value !== 'function') optionReader.required(option, value, HASH_KEY);
}

function checkModifiers(option: string, given: Given): void {
  const { locality, slowStart, outlierDetection, routing, healthCheck } = given;
  if (locality !== undefined) {
    const name = `${option}.locality`;
    const { zone } = optionReader.record(name, locality, LOCALITY_RULES);
    optionReader.required(`${name}.zone`, zone, TEXT);
  }
  if (slowStart !== undefined) {
    const name = `${option}.slowStart`;
    const { windowMs } = optionReader.record(name, slowStart, SLOW_START_RULES);
    if (windowMs === undefined)
      optionReader.reject(`${name}.windowMs`, windowMs, 'a number above 0');
  }
  if (outlierDetection !== undefined && typeof outlierDetection !== 'boolean') {
    optionReader.record(`${option}.outlierDetection`, outlierDetection, OUTLIER_RULES);
  }
  if (routing !== undefined) checkRouting(`${option}.routing`, routing);
  if (healthCheck !== undefined && typeof healthCheck !== 'boolean') {
    optionReader.required(`${option}.healthCheck`, healthCheck, HEALTH_CHECK);
  }
}

function checkRouting(option: string, value: unknown): void {
  const { match, canary } = optionReader.fields(option, value, ['match', 'canary']);
  if (match !== undefined) optionReader.record(`${option}.match`, match, MATCH_RULES);
  if (canary === undefined) return;
  const name = `${option}.canary`;
  const fields = optionReader.fields(name, canary, ['match', 'share', 'header']);
  optionReader.record(`${name}.match`, fields.match, MATCH_RULES);
  optionReader.optional(`${name}.share`, fields.share, SHARE);
  if (fields.header === undefined) return;
  const header = optionReader.record(`${name}.header`, fields.header, HEADER_RULES);
  optionReader.required(`${name}.header.name`, header.name, HEADER_RULES.name);
}
