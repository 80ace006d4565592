import { describe, expect, it } from 'vitest';
import { decodeDialableRecord } from '../../../../lib/core/records/dialable-record.js';

const record = (address: string): string => JSON.stringify({ Op: 0, Addr: address });
const NO_ADDRESS = 'no-dialable-address';

describe('decodeDialableRecord', () => {
  it.each(['h:1', '[::1]:65535', 'unix:/tmp/x', 'unix:///tmp/x', '0.0.0.0:9'])(
    'reads a record with the address %s',
    (address) => {
      expect(decodeDialableRecord(record(address))).toEqual({
        ok: true,
        endpoint: { address, metadata: null },
      });
    },
  );

  it('reads a record that also has fields of other frameworks', () => {
    const value = '{"Op":0,"Addr":"h:1","network":"tcp","address":"x","endpoints":[]}';
    expect(decodeDialableRecord(Buffer.from(value))).toMatchObject({ ok: true });
  });

  it.each([
    ['an address without a port', record('127.0.0.1'), NO_ADDRESS, '"127.0.0.1" has no port'],
    ['an IPv6 address without a port', record('::1'), NO_ADDRESS, '"::1" has no port'],
    ['port 0', record('h:0'), NO_ADDRESS, '"h:0" has a port that is not from 1 to 65535'],
    ['port 65536', record('h:65536'), NO_ADDRESS, 'not from 1 to 65535'],
    ['port 123456', record('h:123456'), NO_ADDRESS, 'not from 1 to 65535'],
    ['a URL', record('grpc://h:1'), NO_ADDRESS, '"grpc://h:1" has a scheme'],
    ['a target', record('dns:///h:1'), NO_ADDRESS, '"dns:///h:1" has a scheme'],
    ['a path', record('/tmp/x'), NO_ADDRESS, 'is not host:port, [ipv6]:port or unix:path'],
    ['an empty host', record(':80'), NO_ADDRESS, 'is not host:port'],
    ['an empty host and a high port', record(':65535'), NO_ADDRESS, 'is not host:port'],
    ['an empty address', record(''), NO_ADDRESS, 'Addr is missing or empty'],
    ['no Addr', '{"Op":0}', NO_ADDRESS, 'Addr is missing or empty'],
    ['JSON null', 'null', NO_ADDRESS, 'Addr is missing or empty'],
    [
      'a line break in its address',
      record('h\n:1'),
      NO_ADDRESS,
      String.raw`"h\n:1" is not host:port`,
    ],
    ['an array', '[]', 'no-record', 'it is not a JSON object'],
    ['a number', '7', 'no-record', 'it is not a JSON object'],
    ['no JSON', 'hello', 'no-record', 'it is not JSON'],
    ['nothing', '', 'no-record', 'it is not JSON'],
    ['a wrong type', '{"Addr":7}', 'no-record', 'Addr is 7; allowed: a string'],
  ])('refuses a value with %s, and gives the reason', (_, value, kind, reason) => {
    expect(decodeDialableRecord(value)).toMatchObject({
      ok: false,
      kind,
      reason: expect.stringContaining(reason),
    });
    expect(decodeDialableRecord(Buffer.from(value))).toMatchObject({ kind });
  });

  it.each(['endpoints', 'nodes'])(
    'gives a reason for %s that are nested deeper than the call stack',
    (field) => {
      const deep = `{"${field}":${'['.repeat(200_000)}${']'.repeat(200_000)}}`;
      expect(decodeDialableRecord(deep)).toMatchObject({
        ok: false,
        reason: `its ${field} is [a list]`,
      });
    },
  );

  it.each([
    [
      'kratos',
      {
        id: 'a',
        name: 'api',
        version: '',
        metadata: {},
        endpoints: ['grpc://127.0.0.1:9?isSecure=false'],
      },
      'its endpoints is ["grpc://127.0.0.1:9?isSecure=false"]',
    ],
    ['kratos', { id: 'a', name: 'api', endpoints: [] }, 'its endpoints is []'],
    [
      'kitex',
      { network: 'tcp', address: '127.0.0.1:9', weight: 10, tags: null },
      'its address is "127.0.0.1:9"',
    ],
    [
      'go-micro',
      { name: 'api', version: '1', nodes: [{ id: 'a', address: 'h:1' }] },
      'its nodes is ["h:1"]',
    ],
    ['consul', { ID: 'a', Service: 'api', Address: '10.0.0.1', Port: 9 }, '"10.0.0.1"'],
    [
      'consul',
      { Node: 'n', ServiceName: 'api', ServiceAddress: '10.0.0.1', ServicePort: 9 },
      'its ServiceAddress is "10.0.0.1"',
    ],
  ])('recognises a record of %s', (kind, value, reason) => {
    expect(decodeDialableRecord(JSON.stringify(value))).toMatchObject({
      ok: false,
      kind,
      reason: expect.stringContaining(reason),
    });
  });

  it.each(['127.0.0.1:9', '[::1]:9', 'host.local:8080\n'])(
    'recognises the address %s without JSON as a record of go-zero',
    (value) => {
      expect(decodeDialableRecord(value)).toMatchObject({ ok: false, kind: 'go-zero' });
    },
  );

  it('gives short reasons for long values', () => {
    const long = 'x'.repeat(1_000_000);
    for (const value of [long, record(long), `{"network":"tcp","address":"${long}"}`]) {
      const decoded = decodeDialableRecord(value);
      expect(decoded.ok ? Infinity : decoded.reason.length).toBeLessThan(300);
    }
  });
});
