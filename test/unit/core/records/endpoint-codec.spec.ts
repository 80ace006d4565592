import { describe, expect, it } from 'vitest';
import {
  type Endpoint,
  type JsonValue,
  metadataField,
} from '../../../../lib/core/records/endpoint.js';
import { decodeEndpoint, encodeEndpoint } from '../../../../lib/core/records/endpoint-codec.js';
import { recordKey } from '../../../../lib/core/records/record-key.js';
import { type DecodeCase, goldenFiles, goldenRecords, readGolden } from '../golden-records.js';

const bytes = (base64: string): Uint8Array => Buffer.from(base64, 'base64');

function decoded(value: Uint8Array | string): Endpoint {
  const outcome = decodeEndpoint(value);
  if (!outcome.ok) throw new Error(`rejected: ${outcome.reason}`);
  return outcome.endpoint;
}

function rejection(value: Uint8Array | string): string {
  const outcome = decodeEndpoint(value);
  if (outcome.ok) throw new Error(`accepted: ${JSON.stringify(outcome.endpoint)}`);
  return outcome.reason;
}

/** The endpoint that was read, or that the value was rejected, without the text of the reason. */
function outcome(text: string): unknown {
  const read = decodeEndpoint(text);
  return read.ok ? read.endpoint : 'rejected';
}

/** The endpoint of a record that has this `Discovery`, given as JSON. */
const withDiscovery = (source: string): Endpoint =>
  decoded(`{"Op":0,"Addr":"h:1","Metadata":null,"Discovery":${source}}`);

/** A record whose metadata is `levels` nested arrays. */
const deep = (levels: number): string =>
  `{"Op":0,"Addr":"h:1","Metadata":${'['.repeat(levels)}${']'.repeat(levels)}}`;

/** Go 1.27 writes an invalid character as U+FFFD itself; earlier releases write the escape of U+FFFD. */
const anyRelease = (value: string): string => value.replaceAll('\\ufffd', '\ufffd');

/**
 * Metadata that the Go program wrote and that a decoded number cannot hold: larger than the integers of a
 * double.
 */
const EXACT_METADATA: Readonly<Record<string, JsonValue>> = {
  'metadata-number-int64-max': 9_223_372_036_854_775_807n,
  'metadata-number-uint64-max': 18_446_744_073_709_551_615n,
};

/**
 * `json.RawMessage` keeps the order of keys in the Go program's own text, `{"b":1,"a":"<"}`. If Go reads that
 * record and writes it again, the metadata is a map, whose keys Go sorts.
 */
const SORTED_VALUES: Readonly<Record<string, string>> = {
  'metadata-rawmessage': String.raw`{"Op":0,"Addr":"127.0.0.1:9003","Metadata":{"a":"\u003c","b":1}}`,
};

describe('golden records of Go', () => {
  const files = goldenFiles();
  const listed = files.flatMap(({ name, kvs, goList }) =>
    kvs.map((record) => ({ name: `${name} ${record.key}`, record, go: goList[record.key] })),
  );

  it('are complete', () => {
    expect(goldenRecords()).toHaveLength(38);
    expect(files.length).toBeGreaterThanOrEqual(40);
  });

  it.each(listed)('decode to what Go lists: $name', ({ record, go }) => {
    expect(go).toBeDefined();
    expect(decoded(bytes(record.valueBase64))).toStrictEqual({
      address: go?.Addr,
      metadata: go?.Metadata,
    });
  });

  it.each([...goldenRecords()])(
    'are written byte for byte: $name',
    ({ name, key, service, ...record }) => {
      const { address, metadata } = decoded(bytes(record.valueBase64));
      const value = encodeEndpoint({ address, metadata: EXACT_METADATA[name] ?? metadata });
      expect(value).toBe(SORTED_VALUES[name] ?? anyRelease(record.value));
      if (SORTED_VALUES[name] === undefined && !record.value.includes('\\ufffd')) {
        expect(Buffer.from(value).toString('base64')).toBe(record.valueBase64);
      }
      expect(recordKey('', service, key.slice(service.length + 1))).toBe(key);
    },
  );

  it('have the same value for a RawMessage as for a map, in any order of the keys', () => {
    const raw = goldenRecords().find(({ name }) => name === 'metadata-rawmessage');
    expect(raw?.value).not.toBe(SORTED_VALUES['metadata-rawmessage']);
    expect(decoded(raw?.value ?? '')).toStrictEqual(
      decoded(SORTED_VALUES['metadata-rawmessage'] ?? ''),
    );
  });

  it('keep -0 and the base64 text of bytes', () => {
    const floats = goldenRecords().find(({ name }) => name === 'metadata-number-floats');
    expect(decoded(floats?.value ?? '').metadata).toContain(-0);
    expect(encodeEndpoint({ address: 'h:1', metadata: -0 })).toBe(
      '{"Op":0,"Addr":"h:1","Metadata":-0}',
    );
    const binary = Buffer.from([0x00, 0x01, 0xfe, 0xff]).toString('base64');
    const written = goldenRecords().find(({ name }) => name === 'metadata-bytes');
    expect(encodeEndpoint({ address: '127.0.0.1:9003', metadata: binary })).toBe(written?.value);
  });

  it('keep a key named __proto__ as a normal field', () => {
    const order = goldenRecords().find(({ name }) => name === 'metadata-map-key-order');
    const endpoint = decoded(order?.value ?? '');
    expect(metadataField(endpoint, '__proto__')).toBe(9);
    expect(Object.getPrototypeOf(endpoint.metadata)).toBe(Object.prototype);
  });
});

describe('encodings that depend on the release of Go', () => {
  const { outputs } = readGolden<{ outputs: Record<string, readonly string[]> }>(
    'go-version-json.json',
  );
  const releases = Object.entries(outputs).map(([release, lines]) => ({
    release,
    values: lines.map((line) => line.replace(/ <nil>$/, '')),
  }));

  it('are of four releases, with six values each', () => {
    expect(releases).toHaveLength(4);
    for (const { values } of releases) expect(values).toHaveLength(6);
  });

  it.each(releases)('decode to the same values for $release as for the others', ({ values }) => {
    const reference = releases[0]?.values.map((value) => decoded(value));
    expect(values.map((value) => decoded(value))).toStrictEqual(reference);
  });

  it.each([0, 1, 2, 3, 4, 5])('include the encoding of this library for line %i', (line) => {
    const forms = releases.map(({ values }) => values[line] ?? '');
    expect(forms).toContain(encodeEndpoint(decoded(forms[0] ?? '')));
  });
});

describe('decodeEndpoint accepts and rejects what Go does', () => {
  const { cases } = readGolden<{ cases: readonly DecodeCase[] }>('decode.json');
  const accepted = cases.filter((entry) => entry.accepted);
  const rejected = cases.filter((entry) => !entry.accepted);

  it('in all cases of the fixture', () => {
    expect([accepted.length, rejected.length]).toEqual([18, 12]);
  });

  it.each(accepted)('reads $name as Go does, and writes it back like Go', (entry) => {
    const endpoint = decoded(bytes(entry.valueBase64));
    expect(endpoint).toStrictEqual({ address: entry.Addr, metadata: entry.Metadata });
    expect(encodeEndpoint(endpoint)).toBe(`{"Op":0,${entry.reencoded?.slice(1)}`);
  });

  it.each(rejected)('rejects $name as Go does, and gives the reason', (entry) => {
    expect(rejection(bytes(entry.valueBase64))).not.toBe('');
  });

  it.each([
    ['{"Op":256}', 'Op is 256; allowed: an integer from 0 to 255'],
    ['{"Op":0.5}', 'Op is 0.5; allowed'],
    ['{"Op":true}', 'Op is true; allowed'],
    ['{"Op":"0"}', 'Op is "0"; allowed'],
    ['{"Addr":["h:1"]}', 'Addr is ["h:1"]; allowed: a string'],
    ['{"Addr":{"a":1},"Addr":"h:1"}', 'Addr is {"a":1}; allowed'],
    ['{"Metadata":1e999}', 'number out of range'],
    ['{"Metadata":{"a":[1,-1e999]}}', 'number out of range'],
    ['{"Metadata":{"a":1e400,"a":1}}', 'number out of range'],
    ['{"Metadata":[{"a":{"b":-1e400},"a":1}]}', 'number out of range'],
    ['{"Metadata":{"a":1e400},"Metadata":null}', 'number out of range'],
    [`{"Metadata":{"a":1${'0'.repeat(309)},"a":1}}`, 'number out of range'],
    [`{"Op":0,"Addr":"h:1","Metadata":1${'0'.repeat(300)}E+9}`, 'number out of range'],
    ['\ufeff{"Addr":"h:1"}', 'not JSON'],
    ['', 'not JSON'],
    ['"h:1"', 'not a JSON object'],
    ['true', 'not a JSON object'],
  ])('rejects %s', (value, reason) => {
    expect(rejection(value)).toContain(reason);
    expect(rejection(Buffer.from(value))).toContain(reason);
  });

  it.each([
    ['an address', `{"Addr":["${'x'.repeat(1_400_000)}"]}`],
    ['an operation', `{"Op":"${'x'.repeat(1_400_000)}"}`],
    ['no JSON', 'x'.repeat(1_400_000)],
    ['no JSON at its end', `{"Addr":"${'x'.repeat(1_400_000)}"`],
  ])('gives a short reason for a long value: %s', (_, value) => {
    expect(rejection(value).length).toBeLessThan(200);
  });

  it.each<[string, string, JsonValue]>([
    // Half surrogate pairs, in values and names, at any depth. A pair, and a backslash before a `u`, are no
    // half.
    [String.raw`{"Metadata":"\ud800"}`, '', '\ufffd'],
    [
      String.raw`{"Addr":"h\udfff:1","Metadata":{"a\uD800":["\udc00\ud800",{"b":"\ud800\ud83d\ude00"}]}}`,
      'h\ufffd:1',
      { 'a\ufffd': ['\ufffd\ufffd', { b: '\ufffd😀' }] },
    ],
    [String.raw`{"Metadata":"\ud83d\ude00 \\ud800 \\\ud800"}`, '', '😀 \\ud800 \\\ufffd'],
    [String.raw`{"Metadata":{"\ud800":1,"\udc00":2,"\ufffd":3}}`, '', { '\ufffd': 3 }],
    [
      String.raw`{"Op":0,"Addr":"h:1","Metadata":{"__proto__":"\ud800"}}`,
      'h:1',
      JSON.parse('{"__proto__":"\ufffd"}'),
    ],
    ['{"Metadata":"\ud800"}', '', '\ufffd'],
    // Large numbers that a float64 holds; texts that look like numbers; a number in a field that Go does not
    // have.
    ['{"Metadata":[1e308,-1.7E+308,1e-400,"1e400"]}', '', [1e308, -1.7e308, 0, '1e400']],
    [String.raw`{"Metadata":{"\"1e400":"\\"},"Weight":1e400}`, '', { '"1e400': '\\' }],
    ['null', '', null],
    ['{"Addr":"h:1","Addr":null}', 'h:1', null],
    ['{"aDDr":"h:1","mEtaData":{"Addr":"inner:1"}}', 'h:1', { Addr: 'inner:1' }],
    [String.raw`{"\u0041ddr":"h:1"}`, 'h:1', null],
    ['{"Metadata":1,"Metadata":null}', '', null],
    ['{"Weight":1e999,"Addr":"h:1"}', 'h:1', null],
    [
      String.raw`{"x":"\\","Addr":"a,b}:]\"{\\","Metadata":["}",{"Op":"x"}]}`,
      'a,b}:]"{\\',
      ['}', { Op: 'x' }],
    ],
  ])('reads %s', (value, address, metadata) => {
    expect(decoded(value)).toStrictEqual({ address, metadata });
  });
});

describe('the field Discovery', () => {
  const all = { weight: 2.5, version: '1<2', zone: 'a', maxConnectionAgeMs: 400, draining: true };

  it.each<[JsonValue, string]>([
    [null, 'null'],
    [{ weight: 9 }, '{"weight":9}'],
    ['mine', '"mine"'],
  ])('follows metadata %j, which does not change', (metadata, source) => {
    const endpoint = { address: 'h:1', metadata, discovery: all };
    const added = String.raw`{"weight":2.5,"version":"1\u003c2","zone":"a","maxConnectionAgeMs":400,"draining":true}`;
    expect(encodeEndpoint(endpoint)).toBe(
      `{"Op":0,"Addr":"h:1","Metadata":${source},"Discovery":${added}}`,
    );
    expect(decoded(encodeEndpoint(endpoint))).toStrictEqual(endpoint);
  });

  it('is absent for an endpoint without discovery, and present for one with an empty discovery', () => {
    const plain = { address: 'h:1', metadata: { weight: 2 } };
    expect(encodeEndpoint(plain)).toBe('{"Op":0,"Addr":"h:1","Metadata":{"weight":2}}');
    const silent = { ...plain, discovery: {} };
    expect(encodeEndpoint(silent)).toBe(
      '{"Op":0,"Addr":"h:1","Metadata":{"weight":2},"Discovery":{}}',
    );
    expect(decoded(encodeEndpoint(silent))).toStrictEqual(silent);
  });

  it('is written without its invalid fields', () => {
    const discovery = {
      weight: -1,
      version: '',
      zone: 'a',
      maxConnectionAgeMs: 1,
      draining: false,
    };
    expect(encodeEndpoint({ address: 'h:1', metadata: null, discovery })).toBe(
      '{"Op":0,"Addr":"h:1","Metadata":null,"Discovery":{"zone":"a"}}',
    );
  });

  it.each([
    ['{}', {}],
    ['{"callsPerSecond":5}', {}],
    ['{"weight":1000000,"maxConnectionAgeMs":100}', { weight: 1_000_000, maxConnectionAgeMs: 100 }],
    ['{"weight":1000000.5}', {}],
    ['{"weight":0}', {}],
    ['{"weight":-1}', {}],
    ['{"weight":1e999}', {}],
    ['{"weight":"2"}', {}],
    ['{"version":2,"zone":["a"],"draining":"true"}', {}],
    ['{"version":"","zone":"","draining":false}', {}],
    ['{"zone":"a\\ud800"}', { zone: 'a\ufffd' }],
    ['{"maxConnectionAgeMs":99}', {}],
    ['{"maxConnectionAgeMs":86400001}', {}],
    ['{"Weight":2,"weight":3}', { weight: 3 }],
  ])('with %s is read without its invalid fields', (source, expected) => {
    expect(withDiscovery(source).discovery).toStrictEqual(expected);
  });

  it.each(['null', '1', '"a"', 'true', '[{"weight":2}]', '1e999'])(
    'counts as absent if it is %s, and the record stays valid',
    (source) => {
      expect(withDiscovery(source)).toStrictEqual({ address: 'h:1', metadata: null });
    },
  );

  it('is read at any position and in any case, and the last of several counts, as with the fields of Go', () => {
    const texts = [
      '{"Discovery":{"weight":1},"discovery":{"weight":2},"Addr":"h:1"}',
      '{"Op":0,"Addr":"h:1","Metadata":null,"Discovery":{"weight":1},"Discovery":{"weight":2}}',
      '{"Op":0,"Addr":"h:1","Metadata":null,"Discovery":{"weight":2},"Other":1}',
      String.raw`{"Op":0,"Addr":"h:1","Discovery":{"weight":2},"Metadata":null}`,
    ];
    for (const text of texts) {
      expect(decoded(text)).toStrictEqual({
        address: 'h:1',
        metadata: null,
        discovery: { weight: 2 },
      });
    }
  });

  it('inside metadata is part of the metadata', () => {
    const text = '{"Op":0,"Addr":"h:1","Metadata":{"a":1,"Discovery":{"weight":2}}}';
    expect(decoded(text)).toStrictEqual({
      address: 'h:1',
      metadata: { a: 1, Discovery: { weight: 2 } },
    });
    const quoted = { address: 'h:1', metadata: ',"Discovery":{"weight":2' };
    expect(decoded(encodeEndpoint(quoted))).toStrictEqual(quoted);
  });
});

describe('the fast path for records in the usual form', () => {
  const rest = [
    'null',
    '{}',
    '{"weight":2,"zone":"eu-1"}',
    '"text"',
    '1e999',
    '{"deep":[1e999]}',
    '-0',
    'null,"Op":0.5',
    'null,"Addr":null',
    'null,"addr":"other:2"',
    '{"a":1},"Metadata":null',
    '',
    '{',
    '[1,]',
    'null,"Discovery":{"weight":2}',
    '{"a":1},"Discovery":{"weight":2,"draining":true}',
    '{"a":1,"Discovery":{"weight":2}}',
    '{"a":1,"Discovery":{"weight":2}},"Discovery":{"weight":3}',
    'null,"Discovery":null',
    'null,"Discovery":1e999',
    'null,"Discovery":{},"Addr":"other:2"',
    'null,"Discovery":{},"Discovery":{"weight":4}',
    'null,"Discovery":',
    '1e999,"Discovery":{}',
    '"\\",\\"Discovery\\":{"',
  ];
  const addresses = [
    'h:1',
    '',
    'ü:1',
    '\u0085',
    '\\u0068:1',
    'a\\tb',
    'a\tb',
    'a"b',
    '\ud800',
    '😀',
  ];
  const heads = ['{"Op":0,"Addr":', '{"Op":1,"Addr":', '{"Op":2,"Addr":', '{"op":0,"Addr":'];
  const records = heads.flatMap((head) =>
    addresses.flatMap((address) =>
      rest.flatMap((tail) => [
        `${head}"${address}","Metadata":${tail}}`,
        `${head}"${address}","Metadata":${tail}} `,
      ]),
    ),
  );

  it('returns the same as the general path', () => {
    expect(records).toHaveLength(heads.length * addresses.length * rest.length * 2);
    // A leading space is allowed in JSON, so this text is no usual form and takes the general path.
    for (const text of records) expect([text, outcome(text)]).toEqual([text, outcome(` ${text}`)]);
  });
});

describe('nested metadata', () => {
  it('is read and written up to the depth that Go reads, the record included', () => {
    expect(encodeEndpoint(decoded(deep(9_999)))).toBe(deep(9_999));
  });

  it('is rejected one level deeper than Go reads, without a stack overflow', () => {
    expect(rejection(deep(10_000))).toBe('it is nested deeper than 10000 levels');
    expect(rejection(deep(200_000))).toBe('it is nested deeper than 10000 levels');
  });

  it('does not count brackets inside strings', () => {
    const text = `{"Addr":"h:1","Metadata":"\\"${'['.repeat(20_000)}"}`;
    expect(decoded(text).metadata).toBe(`"${'['.repeat(20_000)}`);
  });
});

it('a record with invalid UTF-8 is read as Go reads it, with one U+FFFD for each such byte', () => {
  const value = Buffer.concat([
    Buffer.from('{"Addr":"é'),
    Buffer.from([0xe2, 0x82]),
    Buffer.from('z"}'),
  ]);
  expect(decoded(value).address).toBe('é\ufffd\ufffdz');
});
