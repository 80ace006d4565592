import { describe, expect, it } from 'vitest';
import type { DiscoveryFields } from '../../../../lib/core/records/discovery-fields.js';
import {
  DEFAULT_WEIGHT,
  drainingEndpoint,
  endpointConnectionAgeMs,
  endpointVersion,
  endpointWeight,
  endpointZone,
  isDraining,
  type JsonValue,
  metadataField,
} from '../../../../lib/core/records/endpoint.js';

const withMetadata = (metadata: JsonValue) => ({ address: 'h:1', metadata });
const saying = (discovery: DiscoveryFields, metadata: JsonValue = null) => ({
  address: 'h:1',
  metadata,
  discovery,
});

describe('the fields of an endpoint', () => {
  it.each<[JsonValue, number]>([
    [2, 2],
    [0.5, 0.5],
    ['2.5', 2.5],
    [' 3 ', 3],
    [0, DEFAULT_WEIGHT],
    [-1, DEFAULT_WEIGHT],
    ['', DEFAULT_WEIGHT],
    [' ', DEFAULT_WEIGHT],
    ['heavy', DEFAULT_WEIGHT],
    ['Infinity', DEFAULT_WEIGHT],
    [null, DEFAULT_WEIGHT],
    [true, DEFAULT_WEIGHT],
    [[5], DEFAULT_WEIGHT],
    [{ value: 5 }, DEFAULT_WEIGHT],
    [1_000_000, 1_000_000],
    [1_000_000.5, DEFAULT_WEIGHT],
    ['1e7', DEFAULT_WEIGHT],
  ])('a weight of %j counts as %d', (weight, expected) => {
    expect(endpointWeight(withMetadata({ weight }))).toBe(expected);
  });

  it.each<[JsonValue]>([[null], [3], ['weight'], [['weight']], [{}]])(
    'metadata %j has no fields to read',
    (metadata) => {
      const endpoint = withMetadata(metadata);
      expect(endpointWeight(endpoint)).toBe(1);
      expect(endpointZone(endpoint)).toBeUndefined();
      expect(endpointVersion(endpoint)).toBeUndefined();
      expect(metadataField(endpoint, 'length')).toBeUndefined();
    },
  );

  it('zone and version are texts; numbers are read as texts', () => {
    expect(endpointZone(withMetadata({ zone: 'eu-1' }))).toBe('eu-1');
    expect(endpointZone(withMetadata({ zone: 7 }))).toBe('7');
    expect(endpointZone(withMetadata({ zone: '' }))).toBeUndefined();
    expect(endpointVersion(withMetadata({ version: '1.2.3' }))).toBe('1.2.3');
    expect(endpointVersion(withMetadata({ version: ['1'] }))).toBeUndefined();
  });

  it("a record's fields under `discovery` replace the same fields of its metadata", () => {
    const endpoint = saying({ weight: 2, version: '1', zone: 'a', maxConnectionAgeMs: 400 });
    expect(endpointWeight(endpoint)).toBe(2);
    expect(endpointVersion(endpoint)).toBe('1');
    expect(endpointZone(endpoint)).toBe('a');
    expect(endpointConnectionAgeMs(endpoint)).toBe(400);
    expect(isDraining(endpoint)).toBe(false);
  });

  it.each<[DiscoveryFields]>([[{}], [{ draining: true }]])(
    'discovery %j replaces metadata also for fields that it does not have',
    (discovery) => {
      const endpoint = saying(discovery, { weight: 7, version: '7', zone: 'seven' });
      expect(endpointWeight(endpoint)).toBe(DEFAULT_WEIGHT);
      expect(endpointVersion(endpoint)).toBeUndefined();
      expect(endpointZone(endpoint)).toBeUndefined();
    },
  );

  it('connection age and draining are read only from discovery', () => {
    const endpoint = withMetadata({ draining: true, maxConnectionAgeMs: 400 });
    expect(isDraining(endpoint)).toBe(false);
    expect(endpointConnectionAgeMs(endpoint)).toBeUndefined();
    expect(isDraining(saying({ draining: true }))).toBe(true);
    expect(isDraining(saying({ draining: false }))).toBe(false);
  });

  it.each<[JsonValue]>([[null], ['text'], [[1]], [{ draining: 'mine' }]])(
    'drainingEndpoint changes discovery, and not metadata %j',
    (metadata) => {
      const before = { ...saying({ weight: 2 }, metadata), incarnation: '7' };
      expect(drainingEndpoint(before)).toStrictEqual({
        ...before,
        discovery: { weight: 2, draining: true },
      });
      expect(drainingEndpoint(withMetadata(metadata))).toStrictEqual(
        saying({ draining: true }, metadata),
      );
    },
  );

  it('fields that metadata inherits are not read', () => {
    expect(metadataField(withMetadata({}), 'toString')).toBeUndefined();
    expect(metadataField(withMetadata({ toString: 'x' }), 'toString')).toBe('x');
  });
});
