/**
 * Turns the options that users wrote into complete, checked and frozen options. Nothing is dialled before the
 * options have passed.
 */
import {
  DEFAULT_REMOVAL_GUARD,
  type RemovalGuardPolicy,
} from '../../core/snapshot/removal-guard.js';
import { Registry } from '../../registry/registry.js';
import { type EtcdSettings, validateEtcd } from './validate-etcd.js';
import { validateClientDefaults, validateClients } from './validate-clients.js';
import type {
  ClientDefaults,
  ClientDefinition,
  DiscoveryModuleOptions,
} from './discovery-options.js';
import { BOOLEAN, numberWithin, ruleOf, TEXT, wholeNumber } from '../../core/values/value-rule.js';
import { optionReader } from './option-reader.js';
import type { ReadinessCheck, ReadinessOptions } from '../readiness-gate.js';
import { obstacleAt } from '../snapshot/snapshot-path.js';
import { type ResolvedService, validateServices } from './validate-service.js';

/** Checked options. Exactly one of `registry` and `etcd` is set. */
export interface ResolvedOptions {
  readonly registry: Registry | undefined;
  readonly etcd: EtcdSettings | undefined;
  readonly services: readonly ResolvedService[];
  readonly clients: readonly ClientDefinition[];
  readonly clientDefaults: ClientDefaults;
  readonly failFast: boolean;
  readonly readiness: ReadinessOptions | undefined;
  readonly health: boolean;
  /** The settings of the removal guard; `undefined`: removals are never held. */
  readonly removalGuard: RemovalGuardPolicy | undefined;
  readonly snapshotFile: string | undefined;
}

const ROOT_FIELDS = [
  'etcd',
  'registry',
  'service',
  'clients',
  'clientDefaults',
  'failFast',
  'readiness',
  'health',
  'removalGuard',
  'snapshotFile',
] as const;

const REMOVAL_GUARD_RULES = {
  maxHoldMs: wholeNumber(0, 86_400_000),
  minShare: numberWithin(0, 1),
  windowMs: wholeNumber(0, 3_600_000),
  recoveryMs: wholeNumber(0, 3_600_000),
};

const READINESS_CHECK = ruleOf(
  'a function',
  (value): value is ReadinessCheck => typeof value === 'function',
);
const READINESS_RULES = {
  check: READINESS_CHECK,
  intervalMs: wholeNumber(10, 3_600_000),
  timeoutMs: wholeNumber(10, 3_600_000),
};

/**
 * Checks options and fills in defaults.
 *
 * @throws DiscoveryError `INVALID_OPTION`
 */
export function validateOptions(
  options: DiscoveryModuleOptions,
  environment: Readonly<Record<string, string | undefined>>,
): ResolvedOptions {
  const given = optionReader.fields('forRoot', options, ROOT_FIELDS);
  if (given.registry !== undefined && given.etcd !== undefined) {
    optionReader.refuse('etcd', 'given beside registry', 'one of etcd and registry');
  }
  if (given.registry !== undefined && !(given.registry instanceof Registry)) {
    optionReader.reject('registry', given.registry, 'an instance of Registry');
  }
  return Object.freeze({
    registry: given.registry,
    etcd: given.registry === undefined ? validateEtcd(given.etcd ?? {}, environment) : undefined,
    services: requireApart(validateServices(given.service)),
    clients: given.clients === undefined ? [] : validateClients('clients', given.clients),
    clientDefaults: validateClientDefaults('clientDefaults', given.clientDefaults ?? {}),
    failFast: optionReader.optional('failFast', given.failFast, BOOLEAN) ?? false,
    readiness: given.readiness === undefined ? undefined : validateReadiness(given.readiness),
    health: optionReader.optional('health', given.health, BOOLEAN) ?? false,
    removalGuard: validateRemovalGuard(given.removalGuard),
    snapshotFile: validateSnapshotFile(given.snapshotFile),
  });
}

/**
 * Rejects `team` beside `team/api`: clients of `team` list all keys below `team/`, so they would get both.
 */
function requireApart(services: readonly ResolvedService[]): readonly ResolvedService[] {
  for (const outer of services) {
    const inner = services.find(({ name }) => name.startsWith(`${outer.name}/`));
    if (inner === undefined) continue;
    const allowed = `no name that begins with another one and a slash: clients of "${outer.name}" would get the records of both`;
    optionReader.reject('service', inner.name, allowed);
  }
  return services;
}

function validateRemovalGuard(value: unknown): RemovalGuardPolicy | undefined {
  if (value === false) return undefined;
  if (value === undefined) return DEFAULT_REMOVAL_GUARD;
  if (typeof value !== 'object') {
    const fields = Object.keys(REMOVAL_GUARD_RULES).join(', ');
    optionReader.reject('removalGuard', value, `false, or an object with ${fields}`);
  }
  const given = optionReader.record('removalGuard', value, REMOVAL_GUARD_RULES);
  return Object.freeze({ ...DEFAULT_REMOVAL_GUARD, ...given });
}

/** The path must be free or have a regular file: writing the snapshot replaces whatever is there. */
function validateSnapshotFile(value: unknown): string | undefined {
  const path = optionReader.optional('snapshotFile', value, TEXT);
  const obstacle = path === undefined ? undefined : obstacleAt(path);
  if (path === undefined || obstacle === undefined) return path;
  const shown = `${JSON.stringify(path)}, where ${obstacle} is`;
  return optionReader.refuse(
    'snapshotFile',
    shown,
    'the path of a regular file, or of one to be made',
  );
}

function validateReadiness(value: unknown): ReadinessOptions {
  if (typeof value === 'function') return Object.freeze({ check: value as ReadinessCheck });
  const given = optionReader.record('readiness', value, READINESS_RULES);
  const check = optionReader.required('readiness.check', given.check, READINESS_CHECK);
  return Object.freeze({ ...given, check });
}
