/** Checks the `etcd` options. */
import type { EtcdOptions } from '../../etcd/etcd-options.js';
import {
  areAlike,
  describeMemberUrl,
  describeMemberUrls,
  MEMBER_URL_ALLOWED,
  parseMemberUrl,
} from '../../etcd/connection/member-url.js';
import { DEFAULT_TIMINGS, type EtcdTimings, resolveTimings } from '../../etcd/etcd-timings.js';
import {
  optionalInteger,
  optionalNumber,
  refuseOption,
  rejectOption,
  requireObject,
  requireString,
} from './option-reader.js';
import { validateEtcdTls } from './validate-etcd-tls.js';

/** Checked etcd options. */
export type EtcdSettings = EtcdOptions;

type EtcdClient = NonNullable<EtcdOptions['client']>;

const ETCD_FIELDS = [
  'hosts',
  'namespace',
  'auth',
  'tls',
  'requestTimeoutMs',
  'syncIntervalMs',
  'timings',
  'client',
] as const;
const DEFAULT_HOST = 'http://127.0.0.1:2379';

/** @throws DiscoveryError `INVALID_OPTION` */
export function validateEtcd(
  value: unknown,
  environment: Readonly<Record<string, string | undefined>>,
): EtcdSettings {
  const given = requireObject('etcd', value, ETCD_FIELDS);
  const client = given.client === undefined ? undefined : validateClient(given.client);
  if (client !== undefined) {
    const beside = (['hosts', 'auth', 'tls', 'syncIntervalMs'] as const).find(
      (field) => given[field] !== undefined,
    );
    if (beside !== undefined) {
      const shown = beside === 'hosts' ? describeMemberUrls(given.hosts) : 'given';
      refuseOption(`etcd.${beside}`, shown, 'none beside etcd.client, which has its own');
    }
  }
  const hosts = client === undefined ? validateHosts(given.hosts, environment) : [];
  const secure = hosts.some((host) => host.startsWith('https://'));
  return Object.freeze({
    hosts,
    namespace: validateNamespace(given.namespace),
    requestTimeoutMs: optionalInteger('etcd.requestTimeoutMs', given.requestTimeoutMs, 100, 60_000),
    ...(given.syncIntervalMs === undefined
      ? {}
      : {
          syncIntervalMs: optionalInteger(
            'etcd.syncIntervalMs',
            given.syncIntervalMs,
            1_000,
            86_400_000,
          ),
        }),
    ...(given.timings === undefined ? {} : { timings: validateTimings(given.timings) }),
    ...(given.auth === undefined ? {} : { auth: validateAuth(given.auth) }),
    ...(given.tls === undefined ? {} : { tls: validateEtcdTls(given.tls, secure) }),
    ...(client === undefined ? {} : { client }),
  }) as EtcdSettings;
}

function validateHosts(
  value: unknown,
  environment: Readonly<Record<string, string | undefined>>,
): readonly string[] {
  const fromEnvironment = environment['ETCD_HOSTS'];
  if (value === undefined && fromEnvironment !== undefined && fromEnvironment.trim() !== '') {
    return checkHosts('ETCD_HOSTS', fromEnvironment.split(','));
  }
  return checkHosts('etcd.hosts', value ?? [DEFAULT_HOST]);
}

function checkHosts(option: string, value: unknown): readonly string[] {
  if (!Array.isArray(value)) {
    return refuseOption(option, describeMemberUrls(value), `an array of ${MEMBER_URL_ALLOWED}`);
  }
  const list: readonly unknown[] = value;
  if (list.length === 0) refuseOption(option, '[]', `at least one of ${MEMBER_URL_ALLOWED}`);
  const whole = list.filter((entry) => typeof entry === 'string').join();
  const hosts = list.map((entry) => {
    const url = typeof entry === 'string' ? parseMemberUrl(entry) : undefined;
    return url ?? refuseOption(option, describeMemberUrl(entry, whole), MEMBER_URL_ALLOWED);
  });
  if (!areAlike(hosts)) refuseOption(option, describeMemberUrls(hosts), MEMBER_URL_ALLOWED);
  return Object.freeze(hosts);
}

function validateNamespace(value: unknown): string {
  if (value === undefined) return '';
  return typeof value === 'string'
    ? value
    : rejectOption('etcd.namespace', value, 'a string that is put before every key');
}

/** Bounds of every time, both included. */
const TIMING_BOUNDS: Readonly<Record<keyof EtcdTimings, readonly [number, number]>> = {
  keepalivesPerTtl: [2, 20],
  keepaliveJitter: [0, 0.5],
  watchCreateTimeoutMs: [100, 60_000],
  relistIntervalMs: [1_000, 86_400_000],
  backoffBaseMs: [1, 60_000],
  backoffCapMs: [1, 3_600_000],
  probeIntervalMs: [50, 60_000],
  returnSpreadMs: [0, 60_000],
  pingIntervalMs: [5_000, 600_000],
  pingTimeoutMs: [100, 60_000],
};

function validateTimings(value: unknown): EtcdTimings {
  const names = Object.keys(DEFAULT_TIMINGS) as (keyof EtcdTimings)[];
  const given = requireObject('etcd.timings', value, names);
  const read = names.map((name) => {
    const option = `etcd.timings.${name}`;
    const check = name === 'keepaliveJitter' ? optionalNumber : optionalInteger;
    return [name, check(option, given[name], ...TIMING_BOUNDS[name])] as const;
  });
  const timings = resolveTimings(Object.fromEntries(read));
  if (timings.backoffCapMs < timings.backoffBaseMs) {
    const allowed = `at least etcd.timings.backoffBaseMs (${timings.backoffBaseMs})`;
    refuseOption('etcd.timings.backoffCapMs', String(timings.backoffCapMs), allowed);
  }
  return Object.freeze(timings);
}

function validateAuth(value: unknown): EtcdOptions['auth'] {
  const { username, password } = requireObject('etcd.auth', value, ['username', 'password']);
  const auth = {
    username: requireString('etcd.auth.username', username),
    password: requireString('etcd.auth.password', password),
  };
  // Not seen by whoever prints the options, or what holds them.
  return Object.freeze(Object.defineProperty(auth, 'password', { enumerable: false }));
}

/** The parts of a client that are used, by their methods. */
const CLIENT_PARTS = {
  kv: ['range', 'txn'],
  leaseClient: ['leaseGrant', 'leaseKeepAlive', 'leaseRevoke'],
  watchClient: ['watch'],
} as const;

/** By what it has: the package that it is from may be another copy than ours. */
function validateClient(value: unknown): EtcdClient {
  const complete = Object.entries(CLIENT_PARTS).every(([part, methods]) => {
    const found = field(value, part);
    return methods.every((method) => typeof field(found, method) === 'function');
  });
  if (!complete) return rejectOption('etcd.client', value, 'an Etcd3 client');
  const prefix = field(value, 'prefix');
  if (prefix instanceof Uint8Array && prefix.length > 0) {
    // It would not apply: records are read and written by requests that know no prefix.
    const shown = 'a namespace of an Etcd3 client';
    return refuseOption('etcd.client', shown, 'the Etcd3 client itself, and etcd.namespace');
  }
  return value as EtcdClient;
}

function field(holder: unknown, name: string): unknown {
  return typeof holder === 'object' && holder !== null ? Reflect.get(holder, name) : undefined;
}
