import { Etcd3 } from 'etcd3';
import { afterAll, describe, expect, it } from 'vitest';
import { type EtcdSettings, validateEtcd } from '../../../../lib/nest/options/validate-etcd.js';
import { expectRejected, rejection } from './rejection.js';

const DEFAULT_HOSTS = ['http://127.0.0.1:2379'];
const SECRET = 'hunter2';
/** A client of etcd that dials nothing before its first request. */
const ownClient = new Etcd3({ hosts: 'http://127.0.0.1:1' });
afterAll(() => ownClient.close());

const read = (value: unknown, hosts?: string): EtcdSettings =>
  validateEtcd(value, { ETCD_HOSTS: hosts });

/** The parts of a client that the library uses; `without` names a method that is missing. */
function partsWithout(without?: string): object {
  const part = (...names: string[]): object =>
    Object.fromEntries(names.filter((name) => name !== without).map((name) => [name, () => {}]));
  return {
    kv: part('range', 'txn'),
    leaseClient: part('leaseGrant', 'leaseKeepAlive', 'leaseRevoke'),
    watchClient: part('watch'),
  };
}

describe('the option etcd', () => {
  it.each<[unknown, option: string, shown: string, allowed: string]>([
    ['http://h:2379', 'etcd', 'a string', 'an object with hosts'],
    [{ host: 'h:2379' }, 'etcd.host', 'a string', 'none; etcd has hosts, namespace'],
    [{ namespace: 7 }, 'etcd.namespace', 'a number', 'a string that is put before every key'],
    [{ syncIntervalMs: 999 }, 'etcd.syncIntervalMs', '999', 'from 1000 to 86400000'],
    [{ syncIntervalMs: 86_400_001 }, 'etcd.syncIntervalMs', '86400001', 'to 86400000'],
    [{ syncIntervalMs: false }, 'etcd.syncIntervalMs', 'false', 'a whole number from 1000'],
    [{ requestTimeoutMs: 99 }, 'etcd.requestTimeoutMs', '99', 'from 100 to 60000'],
    [{ requestTimeoutMs: 60_001 }, 'etcd.requestTimeoutMs', '60001', 'from 100 to 60000'],
    [{ requestTimeoutMs: '2s' }, 'etcd.requestTimeoutMs', 'a string', 'a whole number from 100'],
    [{ timings: { backoffCap: 5 } }, 'etcd.timings.backoffCap', 'a number', 'backoffCapMs?'],
    [{ auth: 'root' }, 'etcd.auth', 'a value that is not shown', 'an object with username'],
    [{ auth: { username: '' } }, 'etcd.auth.username', '""', 'a non-empty string'],
    [{ auth: { password: 'p' } }, 'etcd.auth.username', 'undefined', 'a non-empty string'],
    [
      { auth: { username: 'root' } },
      'etcd.auth.password',
      'a value that is not shown',
      'a non-empty string',
    ],
    [{ tls: { ca: 'x' } }, 'etcd.tls', 'given with http:// hosts', 'https:// hosts'],
  ])('is rejected: %j', (value, option, shown, allowed) => {
    expectRejected(() => read(value), option, shown, allowed);
  });

  it.each<[object]>([
    [{ namespace: '' }],
    [{ namespace: 'p/' }],
    [{ syncIntervalMs: 1_000 }],
    [{ syncIntervalMs: 86_400_000 }],
    [{ requestTimeoutMs: 100 }],
    [{ requestTimeoutMs: 60_000 }],
  ])('is taken as it is: %j', (fields) => {
    expect(read(fields)).toStrictEqual({
      hosts: DEFAULT_HOSTS,
      namespace: '',
      requestTimeoutMs: undefined,
      ...fields,
    });
  });

  it('is by default the etcd on this machine, without a namespace', () => {
    expect(read({})).toStrictEqual({
      hosts: DEFAULT_HOSTS,
      namespace: '',
      requestTimeoutMs: undefined,
    });
  });

  it('has the password of auth in a field that is not enumerable, and so is not printed', () => {
    const { auth } = read({ auth: { username: 'root', password: SECRET } });
    expect(auth).toMatchObject({ username: 'root', password: SECRET });
    expect(Object.keys(auth ?? {})).toEqual(['username']);
  });

  it('is copied and frozen, with all its parts', () => {
    const given = {
      hosts: ['h:1'],
      auth: { username: 'u', password: 'p' },
      timings: { backoffBaseMs: 100 },
    };
    const settings = read(given);
    given.hosts.push('h:2');
    expect(settings.hosts).toEqual(['http://h:1']);
    for (const part of [settings, settings.hosts, settings.auth, settings.timings]) {
      expect(part).toBeDefined();
      expect(Object.isFrozen(part)).toBe(true);
    }
  });
});

describe('the cap of the backoff in etcd.timings', () => {
  it('may be equal to its base', () => {
    const timings = { backoffBaseMs: 300, backoffCapMs: 300 };
    expect(read({ timings }).timings).toMatchObject(timings);
  });

  it('is rejected below its base', () => {
    expectRejected(
      () => read({ timings: { backoffBaseMs: 300, backoffCapMs: 299 } }),
      'etcd.timings.backoffCapMs',
      '299',
      'at least etcd.timings.backoffBaseMs (300)',
    );
  });
});

describe('the hosts of etcd', () => {
  it.each<[unknown, shown: string, allowed: string]>([
    [[], '[]', 'at least one of http://host:port'],
    ['h:2379', '"h:2379"', 'an array of http://host:port'],
    [[2379], 'a value of type number', 'http://host:port or https://host:port'],
    [[''], '""', 'http://host:port'],
    [['http://h'], '"http://h"', 'http://host:port'],
    [['h:0'], '"h:0"', 'http://host:port'],
    [['h:65536'], '"h:65536"', 'http://host:port'],
    [['ftp://h:1'], '"ftp://h:1"', 'http://host:port'],
    [['h:1/path'], '"h:1/…"', 'http://host:port'],
    [['h:1', 'https://h:2'], '["http://h:1"', 'all members alike'],
  ])('are rejected: %j', (hosts, shown, allowed) => {
    expectRejected(() => read({ hosts }), 'etcd.hosts', shown, allowed);
  });

  it.each<[string | undefined, readonly string[]]>([
    [undefined, DEFAULT_HOSTS],
    ['', DEFAULT_HOSTS],
    ['  ', DEFAULT_HOSTS],
    ['h:1', ['http://h:1']],
    ['http://h:1, http://g:2 ', ['http://h:1', 'http://g:2']],
    ['https://h:1/,https://[::1]:2', ['https://h:1', 'https://[::1]:2']],
  ])('with ETCD_HOSTS %j are %j', (variable, hosts) => {
    expect(read({ namespace: 'p/' }, variable).hosts).toEqual(hosts);
  });

  it('are those of the option if ETCD_HOSTS is set too, even to nonsense', () => {
    expect(read({ hosts: ['h:1'] }, 'nonsense').hosts).toEqual(['http://h:1']);
  });

  it('from ETCD_HOSTS are rejected under the name of that variable', () => {
    const shown = '"…" (a name without a port)';
    expectRejected(() => read({}, 'h:1,h'), 'ETCD_HOSTS', shown, 'http://host:port');
  });

  it('from ETCD_HOSTS are rejected without a password in the error', () => {
    const { message } = rejection(() => read({}, `http://root:${SECRET}@h:1`));
    expect(message).toContain('option ETCD_HOSTS is "http://…@h:1"');
    expect(message).not.toContain(SECRET);
  });
});

describe('the client of the user', () => {
  it('is taken in place of hosts, even if ETCD_HOSTS is set', () => {
    const settings = read({ client: ownClient, namespace: 'p/' }, 'nonsense');
    expect(settings).toMatchObject({ hosts: [], namespace: 'p/' });
    expect(settings.client).toBe(ownClient);
  });

  it('is recognised by its methods, because it may come from another copy of etcd3', () => {
    const client = partsWithout();
    expect(read({ client }).client).toBe(client);
  });

  it.each(['range', 'txn', 'leaseGrant', 'leaseKeepAlive', 'leaseRevoke', 'watch'])(
    'is rejected if it has no method %s',
    (method) => {
      const shown = 'an object with kv, leaseClient, watchClient';
      const client = partsWithout(method);
      expectRejected(() => read({ client }), 'etcd.client', shown, 'an Etcd3 client');
    },
  );

  it.each<[unknown, shown: string, allowed: string]>([
    [{}, '{}', 'an Etcd3 client'],
    [null, 'null', 'an Etcd3 client'],
    [{ kv: 1 }, 'an object with kv', 'an Etcd3 client'],
    [ownClient.namespace('nsx/'), 'a namespace of an Etcd3 client', 'etcd.namespace'],
  ])('is rejected if it is no client, or only its namespace (row %#)', (client, shown, allowed) => {
    expectRejected(() => read({ client }), 'etcd.client', shown, allowed);
  });

  it.each<[string, unknown, shown: string]>([
    ['hosts', ['h:1'], '["h:1"]'],
    ['auth', { username: 'root', password: SECRET }, 'given'],
    ['tls', { ca: 'x' }, 'given'],
    ['syncIntervalMs', 1_000, 'given'],
  ])('is rejected beside %s, which the client has itself', (field, value, shown) => {
    expectRejected(
      () => read({ client: ownClient, [field]: value }),
      `etcd.${field}`,
      shown,
      'none beside etcd.client, which has its own',
    );
  });

  it.each([[{ namespace: 'p/' }], [{ requestTimeoutMs: 500 }], [{ timings: {} }]])(
    'may stand beside %j',
    (fields) => {
      expect(() => read({ client: ownClient, ...fields })).not.toThrow();
    },
  );
});
