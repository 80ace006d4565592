/** Checks the `loadBalancing` option of a client. */
import { isTextMetadataKey, TEXT_METADATA_KEY } from '../../grpc/metadata-key.js';
import { knownPolicies, type LoadBalancingOptions } from '../../grpc/balancer/policies.js';
import {
  optionalInteger,
  optionalNumber,
  optionalString,
  rejectOption,
  requireName,
  requireObject,
  requireString,
} from './option-reader.js';

const FIELDS = [
  'policy',
  'decayMs',
  'failurePenalty',
  'hashKey',
  'loadFactor',
  'freeInFlight',
  'locality',
  'slowStart',
  'outlierDetection',
  'routing',
  'healthCheck',
] as const;
type Given = Partial<Record<(typeof FIELDS)[number], unknown>>;

/** Which policy the fields of one policy alone belong to. */
const OWN_FIELDS = {
  decayMs: 'peak_ewma',
  failurePenalty: 'peak_ewma',
  hashKey: 'consistent_hash',
  loadFactor: 'consistent_hash',
  freeInFlight: 'consistent_hash',
} as const;

/**
 * A policy's name, or a policy with options, as options.
 *
 * @throws DiscoveryError `INVALID_OPTION`
 */
export function validateLoadBalancing(option: string, value: unknown): LoadBalancingOptions {
  if (typeof value === 'string') {
    requireName(option, value, knownPolicies());
    if (value === 'consistent_hash') {
      rejectOption(option, value, 'an object with policy and hashKey, which this policy needs');
    }
    return { policy: value };
  }
  if (typeof value !== 'object' || value === null) {
    return rejectOption(option, value, `${knownPolicies().join(', ')}, or an object`);
  }
  const given: Given = requireObject<(typeof FIELDS)[number]>(option, value, FIELDS);
  if (given.policy !== undefined) requireName(`${option}.policy`, given.policy, knownPolicies());
  checkOwnFields(option, given);
  checkModifiers(option, given);
  return value;
}

function checkOwnFields(option: string, given: Given): void {
  for (const [field, policy] of Object.entries(OWN_FIELDS)) {
    const set = given[field as keyof typeof OWN_FIELDS] !== undefined;
    if (set && given.policy !== policy) {
      rejectOption(
        `${option}.${field}`,
        `set with policy ${given.policy ?? 'round_robin'}`,
        `policy ${policy} only`,
      );
    }
  }
  optionalNumber(`${option}.decayMs`, given.decayMs, 1, 600_000);
  optionalNumber(`${option}.failurePenalty`, given.failurePenalty, 0, 1_000_000);
  optionalNumber(`${option}.loadFactor`, given.loadFactor, 1.001, Infinity);
  optionalInteger(`${option}.freeInFlight`, given.freeInFlight, 0, 1_000_000);
  const { hashKey } = given;
  if (given.policy === 'consistent_hash' && typeof hashKey !== 'function') {
    const allowed = `${TEXT_METADATA_KEY}, or a function of the request`;
    const key = requireString(`${option}.hashKey`, hashKey, allowed);
    if (!isTextMetadataKey(key)) rejectOption(`${option}.hashKey`, key, allowed);
  }
}

function checkModifiers(option: string, given: Given): void {
  const { locality, slowStart, outlierDetection, routing, healthCheck } = given;
  if (locality !== undefined) {
    const name = `${option}.locality`;
    const fields = requireObject(name, locality, ['zone', 'overprovisioning', 'trafficShare']);
    requireString(`${name}.zone`, fields.zone);
    optionalNumber(`${name}.overprovisioning`, fields.overprovisioning, 1, 100);
    optionalNumber(`${name}.trafficShare`, fields.trafficShare, 0.000_001, 1);
  }
  if (slowStart !== undefined) {
    const name = `${option}.slowStart`;
    const fields = requireObject(name, slowStart, ['windowMs', 'aggression', 'minWeight']);
    if (fields.windowMs === undefined)
      rejectOption(`${name}.windowMs`, undefined, 'a number above 0');
    optionalNumber(`${name}.windowMs`, fields.windowMs, 1, 3_600_000);
    optionalNumber(`${name}.aggression`, fields.aggression, 0.01, 100);
    optionalNumber(`${name}.minWeight`, fields.minWeight, 0.000_001, 1);
  }
  if (outlierDetection !== undefined && typeof outlierDetection !== 'boolean') {
    checkOutliers(`${option}.outlierDetection`, outlierDetection);
  }
  if (routing !== undefined) checkRouting(`${option}.routing`, routing);
  if (healthCheck !== undefined && typeof healthCheck !== 'boolean') {
    requireString(`${option}.healthCheck`, healthCheck, 'true, false, or the name of a service');
  }
}

function checkOutliers(option: string, value: unknown): void {
  const fields = requireObject(option, value, [
    'consecutiveFailures',
    'failureMargin',
    'minRequests',
    'windowMs',
    'intervalMs',
    'baseEjectionMs',
    'maxEjectionMs',
    'maxEjectedShare',
  ]);
  optionalInteger(`${option}.consecutiveFailures`, fields.consecutiveFailures, 1, 1_000_000);
  optionalNumber(`${option}.failureMargin`, fields.failureMargin, 0.000_001, 1);
  optionalInteger(`${option}.minRequests`, fields.minRequests, 1, 1_000_000);
  for (const field of ['windowMs', 'intervalMs', 'baseEjectionMs', 'maxEjectionMs'] as const) {
    optionalNumber(`${option}.${field}`, fields[field], 10, 86_400_000);
  }
  optionalNumber(`${option}.maxEjectedShare`, fields.maxEjectedShare, 0, 1);
}

function checkRouting(option: string, value: unknown): void {
  const { match, canary } = requireObject(option, value, ['match', 'canary']);
  if (match !== undefined) checkMatch(`${option}.match`, match);
  if (canary === undefined) return;
  const name = `${option}.canary`;
  const fields = requireObject(name, canary, ['match', 'share', 'header']);
  checkMatch(`${name}.match`, fields.match);
  optionalNumber(`${name}.share`, fields.share, 0, 1);
  if (fields.header === undefined) return;
  const header = requireObject(`${name}.header`, fields.header, ['name', 'value']);
  const key = requireString(`${name}.header.name`, header.name, TEXT_METADATA_KEY);
  // gRPC finds it in any case.
  const isKey = isTextMetadataKey(key.toLowerCase());
  if (!isKey) rejectOption(`${name}.header.name`, key, TEXT_METADATA_KEY);
  optionalString(`${name}.header.value`, header.value);
}

function checkMatch(option: string, value: unknown): void {
  const fields = requireObject(option, value, ['version', 'zone', 'metadata']);
  optionalString(`${option}.version`, fields.version);
  optionalString(`${option}.zone`, fields.zone);
  if (fields.metadata === undefined) return;
  const { metadata } = fields;
  const allowed = 'an object of strings, numbers and booleans';
  if (typeof metadata !== 'object' || metadata === null || Array.isArray(metadata)) {
    rejectOption(`${option}.metadata`, metadata, allowed);
  }
  const odd = Object.values(metadata as object).some(
    (wanted) => !['string', 'number', 'boolean'].includes(typeof wanted),
  );
  if (odd) rejectOption(`${option}.metadata`, metadata, allowed);
}
