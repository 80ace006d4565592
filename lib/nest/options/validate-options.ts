/** From what users wrote to options that are complete, checked and frozen. Nothing is dialled before this has passed. */
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
import {
  optionalBoolean,
  optionalInteger,
  optionalNumber,
  optionalString,
  refuseOption,
  rejectOption,
  requireObject,
} from './option-reader.js';
import type { ReadinessCheck, ReadinessOptions } from '../readiness-gate.js';
import { obstacleAt } from '../snapshot/snapshot-path.js';
import { type ResolvedService, validateServices } from './validate-service.js';

/** Checked options. Exactly one of `registry` and `etcd` is there. */
export interface ResolvedOptions {
  readonly registry: Registry | undefined;
  readonly etcd: EtcdSettings | undefined;
  readonly services: readonly ResolvedService[];
  readonly clients: readonly ClientDefinition[];
  readonly clientDefaults: ClientDefaults;
  readonly failFast: boolean;
  readonly readiness: ReadinessOptions | undefined;
  readonly health: boolean;
  /** `undefined`: removals are never held. */
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

/**
 * Checks options and fills in defaults.
 *
 * @throws DiscoveryError `INVALID_OPTION`
 */
export function validateOptions(
  options: DiscoveryModuleOptions,
  environment: Readonly<Record<string, string | undefined>>,
): ResolvedOptions {
  const given = requireObject('forRoot', options, ROOT_FIELDS);
  if (given.registry !== undefined && given.etcd !== undefined) {
    refuseOption('etcd', 'given beside registry', 'one of etcd and registry');
  }
  if (given.registry !== undefined && !(given.registry instanceof Registry)) {
    rejectOption('registry', given.registry, 'an instance of Registry');
  }
  return Object.freeze({
    registry: given.registry,
    etcd: given.registry === undefined ? validateEtcd(given.etcd ?? {}, environment) : undefined,
    services: requireApart(validateServices(given.service)),
    clients: given.clients === undefined ? [] : validateClients('clients', given.clients),
    clientDefaults: validateClientDefaults('clientDefaults', given.clientDefaults ?? {}),
    failFast: optionalBoolean('failFast', given.failFast) ?? false,
    readiness: given.readiness === undefined ? undefined : validateReadiness(given.readiness),
    health: optionalBoolean('health', given.health) ?? false,
    removalGuard: validateRemovalGuard(given.removalGuard),
    snapshotFile: validateSnapshotFile(given.snapshotFile),
  });
}

/** A record is found by its service's prefix, and that of `team` covers all records of `team/api`. */
function requireApart(services: readonly ResolvedService[]): readonly ResolvedService[] {
  for (const outer of services) {
    const inner = services.find(({ name }) => name.startsWith(`${outer.name}/`));
    if (inner === undefined) continue;
    const allowed = `no name that begins with another one and a slash: clients of "${outer.name}" would get the records of both`;
    rejectOption('service', inner.name, allowed);
  }
  return services;
}

function validateRemovalGuard(value: unknown): RemovalGuardPolicy | undefined {
  if (value === false) return undefined;
  if (value === undefined) return DEFAULT_REMOVAL_GUARD;
  if (typeof value !== 'object') {
    rejectOption(
      'removalGuard',
      value,
      'false, or an object with maxHoldMs, minShare, windowMs, recoveryMs',
    );
  }
  const fields = ['maxHoldMs', 'minShare', 'windowMs', 'recoveryMs'] as const;
  const given = requireObject('removalGuard', value, fields);
  const { maxHoldMs, minShare, windowMs, recoveryMs } = DEFAULT_REMOVAL_GUARD;
  const milliseconds = (field: (typeof fields)[number], maximum: number) =>
    optionalInteger(`removalGuard.${field}`, given[field], 0, maximum);
  return Object.freeze({
    maxHoldMs: milliseconds('maxHoldMs', 86_400_000) ?? maxHoldMs,
    minShare: optionalNumber('removalGuard.minShare', given.minShare, 0, 1) ?? minShare,
    windowMs: milliseconds('windowMs', 3_600_000) ?? windowMs,
    recoveryMs: milliseconds('recoveryMs', 3_600_000) ?? recoveryMs,
  });
}

/** What is no file could not be replaced by one, or only by taking its place from whoever needs it. */
function validateSnapshotFile(value: unknown): string | undefined {
  const path = optionalString('snapshotFile', value);
  const obstacle = path === undefined ? undefined : obstacleAt(path);
  if (path === undefined || obstacle === undefined) return path;
  const shown = `${JSON.stringify(path)}, where ${obstacle} is`;
  return refuseOption('snapshotFile', shown, 'the path of a regular file, or of one to be made');
}

function validateReadiness(value: unknown): ReadinessOptions {
  if (typeof value === 'function') return Object.freeze({ check: value as ReadinessCheck });
  const given = requireObject('readiness', value, ['check', 'intervalMs', 'timeoutMs']);
  if (typeof given.check !== 'function') rejectOption('readiness.check', given.check, 'a function');
  optionalInteger('readiness.intervalMs', given.intervalMs, 10, 3_600_000);
  optionalInteger('readiness.timeoutMs', given.timeoutMs, 10, 3_600_000);
  return Object.freeze({ ...(value as ReadinessOptions) });
}
