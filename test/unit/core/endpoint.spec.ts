import { describe, expect, it } from 'vitest';
import {
  DEFAULT_WEIGHT,
  endpointConnectionAgeMs,
  endpointVersion,
  endpointWeight,
  endpointZone,
  type JsonValue,
  metadataField,
} from '../../../lib/core/endpoint.js';

const withMetadata = (metadata: JsonValue) => ({ address: 'h:1', metadata });

describe('what an endpoint says about itself', () => {
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

  it('a zone and a version are texts, or numbers read as such', () => {
    expect(endpointZone(withMetadata({ zone: 'eu-1' }))).toBe('eu-1');
    expect(endpointZone(withMetadata({ zone: 7 }))).toBe('7');
    expect(endpointZone(withMetadata({ zone: '' }))).toBeUndefined();
    expect(endpointVersion(withMetadata({ version: '1.2.3' }))).toBe('1.2.3');
    expect(endpointVersion(withMetadata({ version: ['1'] }))).toBeUndefined();
  });

  it.each<[JsonValue, number | undefined]>([
    [100, 100],
    [1_500.5, 1_500.5],
    [86_400_000, 86_400_000],
    [99, undefined],
    [0, undefined],
    [-1, undefined],
    [86_400_001, undefined],
    [1e300, undefined],
    ['30000', undefined],
    [null, undefined],
  ])('a connection age of %j counts as %s', (maxConnectionAgeMs, expected) => {
    expect(endpointConnectionAgeMs(withMetadata({ maxConnectionAgeMs }))).toBe(expected);
  });

  it('only fields of its own are read', () => {
    expect(metadataField(withMetadata({}), 'toString')).toBeUndefined();
    expect(metadataField(withMetadata({ toString: 'x' }), 'toString')).toBe('x');
  });
});
