import { expect, it } from 'vitest';
import type { Endpoint } from '../../../../lib/core/records/endpoint.js';
import { type KeptList, snapshotText } from '../../../../lib/nest/snapshot/snapshot-text.js';

const endpointAt = (port: number, more: Partial<Endpoint> = {}): Endpoint => ({
  address: `h:${port}`,
  metadata: null,
  ...more,
});

function kept(count: number, savedAt = 7): KeptList {
  const entries = Array.from(
    { length: count },
    (_, port) => [`api/h:${port}`, endpointAt(port)] as const,
  );
  return { savedAt, current: () => new Map(entries) };
}

/** The pieces of a text, and the parsed document that they form together. */
function written(lists: ReadonlyMap<string, KeptList>, head: Record<string, unknown> = {}) {
  const pieces = [...snapshotText(head, lists)];
  return { pieces, document: JSON.parse(pieces.join('')) as Record<string, unknown> };
}

it('the document contains its head, and each service with the age and the records of its list', () => {
  const lists = new Map<string, KeptList>([
    ['api', kept(2)],
    ['empty', kept(0, 8)],
    ['file', { savedAt: 9, records: { 'file/h:1': { value: 'from the file', lease: '5' } } }],
  ]);
  expect(written(lists, { version: 1, registry: 'etcd' }).document).toEqual({
    version: 1,
    registry: 'etcd',
    services: {
      api: {
        savedAt: 7,
        records: {
          'api/h:0': { value: '{"Op":0,"Addr":"h:0","Metadata":null}' },
          'api/h:1': { value: '{"Op":0,"Addr":"h:1","Metadata":null}' },
        },
      },
      empty: { savedAt: 8, records: {} },
      file: { savedAt: 9, records: { 'file/h:1': { value: 'from the file', lease: '5' } } },
    },
  });
});

it('a record has the incarnation of its endpoint as its lease', () => {
  const list = new Map([['api/h:1', endpointAt(1, { incarnation: '77' })]]);
  const { document } = written(new Map([['api', { savedAt: 1, current: () => list }]]));
  expect(document['services']).toMatchObject({ api: { records: { 'api/h:1': { lease: '77' } } } });
});

it('a document without services is valid JSON', () => {
  expect(written(new Map()).document).toEqual({ services: {} });
});

it('the text of a long list is split into pieces of about 64 KiB', () => {
  const lists = new Map([
    ['one', kept(3_000)],
    ['two', kept(3_000)],
  ]);
  const { pieces, document } = written(lists);
  const lengths = pieces.map(({ length }) => length);
  expect(pieces.length).toBeGreaterThan(4);
  expect(Math.max(...lengths)).toBeLessThan(66_000);
  expect(Math.min(...lengths.slice(0, -1))).toBeGreaterThanOrEqual(65_536);
  const { services } = document as { services: Record<string, { records: object }> };
  expect(Object.values(services).map(({ records }) => Object.keys(records).length)).toEqual([
    3_000, 3_000,
  ]);
});
