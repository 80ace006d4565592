import { expect, it } from 'vitest';
import { checkRegistration } from '../../../lib/registry/check-registration.js';
import { MemoryRegistry } from '../../../lib/registry/memory-registry.js';
import type { Endpoint } from '../../../lib/core/records/endpoint.js';
import { EtcdRegistry } from '../../../lib/etcd/etcd-registry.js';

const good = { service: 'api', endpoint: { address: 'h:1', metadata: null }, ttlSeconds: 10 };
const at = (address: string) => ({ endpoint: { address, metadata: null } });
const saying = (discovery: unknown) => ({
  endpoint: { address: 'h:1', metadata: null, discovery: discovery as Endpoint['discovery'] },
});

it.each([
  {},
  { service: 'team/api' },
  at('[::1]:80'),
  at('unix:/tmp/x'),
  { ttlSeconds: 1 },
  saying({}),
  saying({ weight: 1_000_000, version: '1', zone: 'a', maxConnectionAgeMs: 100, draining: false }),
])('a registry accepts %j', (change) => {
  expect(() => checkRegistration({ ...good, ...change })).not.toThrow();
});

it.each([
  [{ service: '' }, 'service is ""'],
  [{ service: 'api/' }, 'service is "api/"'],
  [{ service: 'a\u0000b' }, 'service is "a\\u0000b"'],
  [{ ttlSeconds: Number.NaN }, 'ttlSeconds is NaN'],
  [{ ttlSeconds: 0 }, 'ttlSeconds is 0'],
  [{ ttlSeconds: Infinity }, 'ttlSeconds is Infinity'],
  [at('0.0.0.0:80'), 'endpoint.address is "0.0.0.0:80"'],
  [at('h:0'), 'endpoint.address is "h:0"'],
  [at('h'), 'endpoint.address is "h"'],
  [saying(null), 'endpoint.discovery is null'],
  [saying([1]), 'endpoint.discovery is [1]'],
  [saying({ weight: 0 }), 'endpoint.discovery.weight is 0'],
  [saying({ weight: 1_000_001 }), 'endpoint.discovery.weight is 1000001'],
  [saying({ zone: '' }), 'endpoint.discovery.zone is ""'],
  [saying({ version: 2 }), 'endpoint.discovery.version is 2'],
  [saying({ maxConnectionAgeMs: 99 }), 'endpoint.discovery.maxConnectionAgeMs is 99'],
  [saying({ draining: 'true' }), 'endpoint.discovery.draining is "true"'],
  [saying({ weigth: 2 }), 'endpoint.discovery.weigth is 2'],
  [saying({ toString: 2 }), 'endpoint.discovery.toString is 2'],
])('every registry refuses %j before it dials anything', (change, text) => {
  const request = { ...good, ...change };
  const registries = [new MemoryRegistry(), new EtcdRegistry({ hosts: ['http://127.0.0.1:1'] })];
  for (const registry of registries) {
    expect(() => registry.register(request)).toThrow(
      `[INVALID_OPTION] registration.${text}; allowed:`,
    );
  }
});

it.each([
  [[], '[]'],
  ['http://h:1', '"http://h:1"'],
  [{}, '{}'],
  [['ftp://h:1'], '["ftp://h:1"]'],
  [['http://h'], '["http://h"]'],
  [['http://h:1', 'https://h:2'], '["http://h:1","https://h:2"]'],
])('a registry on etcd refuses the hosts %j', (hosts, shown) => {
  expect(() => new EtcdRegistry({ hosts: hosts as string[] })).toThrow(
    `[INVALID_OPTION] hosts is ${shown}; allowed: an array with at least one http://host:port`,
  );
});

it('the error for a misspelt field of `endpoint.discovery` suggests the right name', () => {
  expect(() => checkRegistration({ ...good, ...saying({ weigth: 2 }) })).toThrow(
    'allowed: none; registration.endpoint.discovery has weight, version, zone, maxConnectionAgeMs, draining; did you mean weight?',
  );
});
