/** Checks the `loadBalancing` option of a client. */
import type { PolicyDefinition, PolicyOption } from '../../balance/policy-definition.js';
import { neededOptions, type PolicyTable } from '../../balance/policy-table.js';
import { isTextMetadataKey, TEXT_METADATA_KEY } from '../../grpc/metadata-key.js';
import {
  DEFAULT_LOAD_BALANCING,
  type LoadBalancingOptions,
  POLICIES,
} from '../../grpc/balancer/policies.js';
import {
  optionalInteger,
  optionalNumber,
  optionalString,
  rejectOption,
  requireName,
  requireObject,
  requireString,
} from './option-reader.js';

/** What modifies a policy; each goes with every policy. */
const MODIFIERS = ['locality', 'slowStart', 'outlierDetection', 'routing', 'healthCheck'] as const;
type Given = Readonly<Partial<Record<string, unknown>>>;

/**
 * A policy's name, or a policy with options, as options.
 *
 * @param policies the policies that the client may ask for
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
      rejectOption(option, value, `an object with ${fields}, which this policy needs`);
    }
    return { policy: value };
  }
  if (typeof value !== 'object' || value === null) {
    return rejectOption(option, value, `${policies.names.join(', ')}, or an object`);
  }
  const fields = ['policy', ...policies.optionNames, ...MODIFIERS];
  const given: Given = requireObject(option, value, fields);
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
  return policies.find(requireName(option, value, policies.names))!;
}

/** An option of another policy is refused: it would be ignored. */
function checkOwners(
  option: string,
  given: Given,
  { name: policy }: PolicyDefinition,
  policies: PolicyTable,
): void {
  for (const name of policies.optionNames) {
    const owners = policies.ownersOf(name);
    if (given[name] === undefined || owners.includes(policy)) continue;
    rejectOption(
      `${option}.${name}`,
      `set with policy ${policy}`,
      `policy ${owners.join(' or ')} only`,
    );
  }
}

function checkPolicyOption(option: string, value: unknown, rule: PolicyOption): void {
  if (rule.kind === 'integer') optionalInteger(option, value, rule.minimum, rule.maximum);
  if (rule.kind === 'number') optionalNumber(option, value, rule.minimum, rule.maximum);
  if (rule.kind !== 'hashKey' || typeof value === 'function') return;
  const allowed = `${TEXT_METADATA_KEY}, or a function of the request`;
  const key = requireString(option, value, allowed);
  if (!isTextMetadataKey(key)) rejectOption(option, key, allowed);
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
  // gRPC compares keys in lower case.
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
