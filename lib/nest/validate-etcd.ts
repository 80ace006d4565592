/** Checks the `etcd` options. */
import type { EtcdOptions } from '../etcd/etcd-options.js';
import { DEFAULT_TIMINGS, type EtcdTimings, resolveTimings } from '../etcd/etcd-timings.js';
import {
  optionalInteger,
  optionalNumber,
  rejectOption,
  requireArray,
  requireObject,
  requireString,
} from './option-reader.js';

/** Checked etcd options. */
export type EtcdSettings = EtcdOptions;

const ETCD_FIELDS = [
  'hosts',
  'namespace',
  'auth',
  'tls',
  'requestTimeoutMs',
  'timings',
  'client',
] as const;
const DEFAULT_HOST = 'http://127.0.0.1:2379';
const HOST_ALLOWED = 'http://host:port or https://host:port, all members alike';

/** @throws DiscoveryError `INVALID_OPTION` */
export function validateEtcd(
  value: unknown,
  environment: Readonly<Record<string, string | undefined>>,
): EtcdSettings {
  const given = requireObject('etcd', value, ETCD_FIELDS);
  const client = given.client as EtcdOptions['client'];
  if (client !== undefined) {
    if (typeof client !== 'object' || client === null || !('kv' in client)) {
      rejectOption('etcd.client', client, 'an Etcd3 client');
    }
    const beside = (['hosts', 'auth', 'tls'] as const).find((field) => given[field] !== undefined);
    if (beside !== undefined) {
      rejectOption(`etcd.${beside}`, given[beside], 'none beside etcd.client, which has its own');
    }
  }
  const hosts = client === undefined ? validateHosts(given.hosts, environment) : [];
  const secure = hosts.some((host) => host.startsWith('https://'));
  return Object.freeze({
    hosts,
    namespace: validateNamespace(given.namespace),
    requestTimeoutMs: optionalInteger('etcd.requestTimeoutMs', given.requestTimeoutMs, 100, 60_000),
    ...(given.timings === undefined ? {} : { timings: validateTimings(given.timings) }),
    ...(given.auth === undefined ? {} : { auth: validateAuth(given.auth) }),
    ...(given.tls === undefined ? {} : { tls: validateTls(given.tls, secure) }),
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
  const list = requireArray(option, value, HOST_ALLOWED);
  if (list.length === 0) rejectOption(option, list, `at least one of ${HOST_ALLOWED}`);
  const hosts = list.map((entry) => {
    const text = requireString(option, entry, HOST_ALLOWED).trim();
    const host = text.includes('://') ? text : `http://${text}`;
    return isMemberUrl(host) ? host.replace(/\/$/, '') : rejectOption(option, entry, HOST_ALLOWED);
  });
  const secure = hosts.filter((host) => host.startsWith('https://')).length;
  if (secure !== 0 && secure !== hosts.length) rejectOption(option, hosts, HOST_ALLOWED);
  return Object.freeze(hosts);
}

function isMemberUrl(host: string): boolean {
  if (!/^https?:\/\/(\[[0-9a-fA-F:.]+\]|[^/:@?#\s]+):\d{1,5}\/?$/.test(host)) return false;
  const port = Number(/:(\d+)\/?$/.exec(host)?.[1]);
  return port >= 1 && port <= 65_535;
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
    rejectOption('etcd.timings.backoffCapMs', timings.backoffCapMs, allowed);
  }
  return Object.freeze(timings);
}

function validateAuth(value: unknown): EtcdOptions['auth'] {
  const { username, password } = requireObject('etcd.auth', value, ['username', 'password']);
  return Object.freeze({
    username: requireString('etcd.auth.username', username),
    password: requireString('etcd.auth.password', password),
  });
}

function validateTls(value: unknown, secure: boolean): EtcdOptions['tls'] {
  const { ca, cert, key } = requireObject('etcd.tls', value, ['ca', 'cert', 'key']);
  if (!secure) rejectOption('etcd.tls', 'given with http:// hosts', 'https:// hosts');
  if ((cert === undefined) !== (key === undefined)) {
    rejectOption(
      'etcd.tls.cert',
      cert === undefined ? undefined : 'given',
      'cert and key together',
    );
  }
  return Object.freeze({
    ca: pem('etcd.tls.ca', ca),
    ...(cert === undefined ? {} : { cert: pem('etcd.tls.cert', cert) }),
    ...(key === undefined ? {} : { key: pem('etcd.tls.key', key) }),
  });
}

function pem(option: string, value: unknown): string | Uint8Array {
  if (value instanceof Uint8Array && value.length > 0) return value;
  return requireString(option, value, 'PEM text or bytes');
}
