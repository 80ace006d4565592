import { describe, expect, it } from 'vitest';
import { foreignRecord } from '../../../../lib/core/records/foreign-record.js';

const read = (value: unknown) => foreignRecord(JSON.stringify(value));

const nodes = (count: number) => read({ nodes: Array.from({ length: count }, (_, at) => at) });

describe('foreignRecord', () => {
  it.each<[string, unknown, string]>([
    ['kratos', { id: '1', endpoints: ['grpc://h:1'] }, 'its endpoints is ["grpc://h:1"]'],
    ['kitex', { network: 'tcp', address: 'h:1', weight: 10 }, 'its address is "h:1"'],
    ['go-micro', { name: 'api', nodes: [{ address: 'h:1' }] }, 'its nodes is ["h:1"]'],
    ['consul', { Address: 'h', Port: 1 }, 'its Address is "h"'],
    ['consul', { ServiceAddress: 'h', ServicePort: 1 }, 'its ServiceAddress is "h"'],
    ['consul', { ServicePort: 1 }, 'its ServiceAddress is missing'],
  ])('recognises %s by its fields: %j', (kind, value, reason) => {
    expect(read(value)).toEqual({ kind, reason });
  });

  it('recognises an address without JSON, with space around it, as a record of go-zero', () => {
    const found = { kind: 'go-zero', reason: 'the value is "10.0.0.1:80"' };
    expect(foreignRecord('10.0.0.1:80')).toEqual(found);
    expect(foreignRecord(' 10.0.0.1:80\n')).toEqual(found);
  });

  it.each([
    ['no JSON', '{'],
    ['no object', '7'],
    ['null', 'null'],
    ['a list', '[{"endpoints":[]}]'],
    ['an empty object', '{}'],
    ['an address without its network', '{"address":"h:1"}'],
    ['an empty network', '{"network":"","address":"h:1"}'],
    ['a port without an address', '{"Port":1}'],
    ['an address and a port in a text', '{"Address":"h","Port":"1"}'],
    ['endpoints that are no list', '{"endpoints":{}}'],
    ['nodes that are no list', '{"nodes":1}'],
  ])('does not recognise %s', (_, text) => {
    expect(foreignRecord(text)).toBeUndefined();
  });

  it('shows five elements of a list at most', () => {
    expect(nodes(5)?.reason).toBe('its nodes is [0,1,2,3,4]');
    expect(nodes(6)?.reason).toBe('its nodes is [0,1,2,3,4,…]');
  });

  it('shows a nested value only as "an object" or "a list"', () => {
    const endpoints = [{ address: { deep: 1 } }, [1], { other: 1 }, null, 'x'];
    expect(read({ endpoints })?.reason).toBe(
      'its endpoints is [an object,a list,an object,null,"x"]',
    );
  });

  it('shows 100 characters of a value at most', () => {
    const long = 'x'.repeat(1_000);
    expect(read({ network: 'tcp', address: long })?.reason.length).toBeLessThan(130);
    expect(foreignRecord(`${'x'.repeat(240)}:1`)?.reason.length).toBeLessThan(130);
  });
});
