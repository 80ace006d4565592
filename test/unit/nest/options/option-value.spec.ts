import { describe, expect, it } from 'vitest';
import {
  clientPlace,
  describeUnknown,
  describeValue,
} from '../../../../lib/nest/options/option-value.js';

const own = (): void => {};

/** Values that are containers, and how errors show them: by their kind, never by their content. */
const KINDS: readonly (readonly [unknown, string])[] = [
  [new Uint8Array([1]), 'bytes'],
  [[], '[]'],
  [[1, 2], 'an array of 2'],
  [{}, '{}'],
  [{ a: 1 }, 'an object with a'],
  [{ a: 1, b: 1, c: 1, d: 1, e: 1 }, 'an object with a, b, c, d, e'],
  [{ a: 1, b: 1, c: 1, d: 1, e: 1, f: 1 }, 'an object with a, b, c, d, e, …'],
  [{ ['x'.repeat(40)]: 1 }, `an object with ${'x'.repeat(40)}`],
  [{ ['x'.repeat(41)]: 1 }, `an object with ${'x'.repeat(40)}…`],
  [own, 'a function'],
];
const SCALARS: readonly (readonly [unknown, string])[] = [
  [undefined, 'undefined'],
  [null, 'null'],
  [true, 'true'],
  [7, '7'],
  [7n, '7'],
];

describe('the value of a known option', () => {
  it.each([
    ...KINDS,
    ...SCALARS,
    ['', '""'],
    ['a "b"', String.raw`"a \"b\""`],
    ['x'.repeat(80), `"${'x'.repeat(80)}"`],
    ['x'.repeat(81), `"${'x'.repeat(81)}…`],
    ['http://root:secret@h:1', '"http://…@h:1"'],
    ['root:secret@h:1', '"…@h:1"'],
  ] as const)('%o is shown as %s', (value, shown) => {
    expect(describeValue('service.name', value)).toBe(shown);
  });

  it.each(['etcd', 'registry', 'etcd.hosts', 'registry.x'])(
    'is shown only by its kind if the option says how to reach a registry: %s',
    (option) => {
      expect(describeValue(option, 'h:1')).toBe('a string');
      expect(describeValue(option, '')).toBe('""');
      expect(describeValue(option, false)).toBe('false');
      expect(describeValue(option, [1])).toBe('an array of 1');
    },
  );

  it.each(['etcd.auth', 'etcd.auth.password', 'etcd.tls.key', 'c.credentials', 'token'])(
    'is not shown at all if the option may hold a secret: %s',
    (option) => {
      expect(describeValue(option, 7)).toBe('a value that is not shown');
      expect(describeUnknown(option, 7)).toBe('a value that is not shown');
    },
  );
});

describe('the value of an option that does not exist', () => {
  it.each([...KINDS, ...SCALARS, ['h:1', 'a string'], ['', '""']] as const)(
    '%o is shown as %s',
    (value, shown) => {
      expect(describeUnknown('service.nam', value)).toBe(shown);
    },
  );

  it('is shown only by its kind among the options of a registry', () => {
    expect(describeUnknown('etcd.port', 7)).toBe('a number');
    expect(describeUnknown('port', 7)).toBe('7');
  });
});

describe('the place of a client in errors', () => {
  it.each([
    [{ name: 'api' }, 'client "api"'],
    [{ name: '' }, 'client'],
    [{ name: 7 }, 'client'],
    [{}, 'client'],
    [null, 'client'],
    [undefined, 'client'],
  ])('of %j is %s', (definition, place) => {
    expect(clientPlace(definition)).toBe(place);
  });
});
