import { expect, it } from 'vitest';
import {
  describeOtherOrigin,
  snapshotOrigin,
} from '../../../../lib/nest/snapshot/snapshot-origin.js';

const HERE = { hosts: ['http://b:1', 'http://a:1'], namespace: 'prod/' };

it('an origin does not depend on the order of the hosts', () => {
  expect(snapshotOrigin('etcd', HERE)).toBe('etcd http://a:1,http://b:1 prod/');
  expect(snapshotOrigin('static', undefined)).toBe('static  ');
});

it.each([
  ['scheme', 'static  ', 'of a registry with the scheme "static", not "etcd"'],
  [
    'hosts',
    'etcd http://c:1 prod/',
    'of etcd.hosts ["http://c:1"], not ["http://a:1","http://b:1"]',
  ],
  [
    'unknown hosts',
    'etcd  prod/',
    'of etcd.hosts that are not known, not ["http://a:1","http://b:1"]',
  ],
  ['namespace', 'etcd http://a:1,http://b:1 other/', 'of etcd.namespace "other/", not "prod/"'],
])('describeOtherOrigin names the part that differs: %s', (_, found, text) => {
  expect(describeOtherOrigin(found, snapshotOrigin('etcd', HERE))).toBe(text);
});

it('describeOtherOrigin names all parts of etcd that differ', () => {
  expect(describeOtherOrigin('etcd http://c:1 other/', snapshotOrigin('etcd', HERE))).toBe(
    'of etcd.hosts ["http://c:1"], not ["http://a:1","http://b:1"] and of etcd.namespace "other/", not "prod/"',
  );
});

/** How an origin with another namespace differs. */
const otherNamespace = (namespace: string): string =>
  describeOtherOrigin(`etcd http://a:1,http://b:1 ${namespace}`, snapshotOrigin('etcd', HERE));

it('describeOtherOrigin shows a namespace with blanks, and of a long one the first 60 characters', () => {
  expect(otherNamespace('a b c/')).toBe('of etcd.namespace "a b c/", not "prod/"');
  const exact = 'x'.repeat(60);
  expect(otherNamespace(exact)).toBe(`of etcd.namespace "${exact}", not "prod/"`);
  expect(otherNamespace(`${exact}y`)).toBe(`of etcd.namespace "${exact}…", not "prod/"`);
});

it.each(['http://root:Secret@h:1', 'http://root:Sec,ret@h:1', 'http://root:Sec ret@h:1'])(
  'describeOtherOrigin does not show the user and password of the hosts in the file: %s',
  (hosts) => {
    const text = describeOtherOrigin(`etcd ${hosts} x/`, snapshotOrigin('etcd', HERE));
    expect(text).not.toMatch(/root|Sec|ret/);
  },
);
