/** Checks the `etcd` options. */
import type { EtcdOptions } from '../../etcd/etcd-options.js';
import {
  areAlike,
  describeMemberUrl,
  describeMemberUrls,
  MEMBER_URL_ALLOWED,
  parseMemberUrl,
} from '../../etcd/connection/member-url.js';
import { type EtcdTimings, resolveTimings, TIMING_RULES } from '../../etcd/etcd-timings.js';
import { ANY_TEXT, inWords, TEXT, wholeNumber } from '../../core/values/value-rule.js';
import { optionReader } from './option-reader.js';
import { validateEtcdTls } from './validate-etcd-tls.js';

/** The `etcd` options after all checks. */
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
const NAMESPACE = inWords('a string that is put before every key', ANY_TEXT);
const REQUEST_TIMEOUT_MS = wholeNumber(100, 60_000);
const SYNC_INTERVAL_MS = wholeNumber(1_000, 86_400_000);
const DEFAULT_HOST = 'http://127.0.0.1:2379';

/** @throws DiscoveryError `INVALID_OPTION` */
export function validateEtcd(
  value: unknown,
  environment: Readonly<Record<string, string | undefined>>,
): EtcdSettings {
  const given = optionReader.fields('etcd', value, ETCD_FIELDS);
  const client = given.client === undefined ? undefined : validateClient(given.client);
  if (client !== undefined) {
    const beside = (['hosts', 'auth', 'tls', 'syncIntervalMs'] as const).find(
      (field) => given[field] !== undefined,
    );
    if (beside !== undefined) {
      const shown = beside === 'hosts' ? describeMemberUrls(given.hosts) : 'given';
      optionReader.refuse(`etcd.${beside}`, shown, 'none beside etcd.client, which has its own');
    }
  }
  const hosts = client === undefined ? validateHosts(given.hosts, environment) : [];
  const secure = hosts.some((host) => host.startsWith('https://'));
  const syncIntervalMs = optionReader.optional(
    'etcd.syncIntervalMs',
    given.syncIntervalMs,
    SYNC_INTERVAL_MS,
  );
  return Object.freeze({
    hosts,
    namespace: optionReader.optional('etcd.namespace', given.namespace, NAMESPACE) ?? '',
    requestTimeoutMs: optionReader.optional(
      'etcd.requestTimeoutMs',
      given.requestTimeoutMs,
      REQUEST_TIMEOUT_MS,
    ),
    ...(syncIntervalMs === undefined ? {} : { syncIntervalMs }),
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
    return optionReader.refuse(
      option,
      describeMemberUrls(value),
      `an array of ${MEMBER_URL_ALLOWED}`,
    );
  }
  const list: readonly unknown[] = value;
  if (list.length === 0) optionReader.refuse(option, '[]', `at least one of ${MEMBER_URL_ALLOWED}`);
  const whole = list.filter((entry) => typeof entry === 'string').join();
  const hosts = list.map((entry) => {
    const url = typeof entry === 'string' ? parseMemberUrl(entry) : undefined;
    return url ?? optionReader.refuse(option, describeMemberUrl(entry, whole), MEMBER_URL_ALLOWED);
  });
  if (!areAlike(hosts)) optionReader.refuse(option, describeMemberUrls(hosts), MEMBER_URL_ALLOWED);
  return Object.freeze(hosts);
}

function validateTimings(value: unknown): EtcdTimings {
  const timings = resolveTimings(optionReader.record('etcd.timings', value, TIMING_RULES));
  if (timings.backoffCapMs < timings.backoffBaseMs) {
    const allowed = `at least etcd.timings.backoffBaseMs (${timings.backoffBaseMs})`;
    optionReader.refuse('etcd.timings.backoffCapMs', String(timings.backoffCapMs), allowed);
  }
  return Object.freeze(timings);
}

function validateAuth(value: unknown): EtcdOptions['auth'] {
  const given = optionReader.record('etcd.auth', value, { username: TEXT, password: TEXT });
  const auth = {
    username: optionReader.required('etcd.auth.username', given.username, TEXT),
    password: optionReader.required('etcd.auth.password', given.password, TEXT),
  };
  // Not enumerable: code that prints the options, or an object that holds them, does not print the password.
  return Object.freeze(Object.defineProperty(auth, 'password', { enumerable: false }));
}

/** The parts of an Etcd3 client that this library uses, and the methods that it calls on each. */
const CLIENT_PARTS = {
  kv: ['range', 'txn'],
  leaseClient: ['leaseGrant', 'leaseKeepAlive', 'leaseRevoke'],
  watchClient: ['watch'],
} as const;

/** Recognises a client by its methods, because the client may come from another copy of etcd3 than ours. */
function validateClient(value: unknown): EtcdClient {
  const complete = Object.entries(CLIENT_PARTS).every(([part, methods]) => {
    const found = field(value, part);
    return methods.every((method) => typeof field(found, method) === 'function');
  });
  if (!complete) return optionReader.reject('etcd.client', value, 'an Etcd3 client');
  const prefix = field(value, 'prefix');
  if (prefix instanceof Uint8Array && prefix.length > 0) {
    // The prefix of a namespace would not apply: this library's requests bypass it.
    const shown = 'a namespace of an Etcd3 client';
    return optionReader.refuse('etcd.client', shown, 'the Etcd3 client itself, and etcd.namespace');
  }
  return value as EtcdClient;
}

function field(holder: unknown, name: string): unknown {
  return typeof holder === 'object' && holder !== null ? Reflect.get(holder, name) : undefined;
}
