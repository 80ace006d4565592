import { expect, it } from 'vitest';
import { DiscoveredClient } from '../../../../lib/nest/client/discovered-client.js';
import type { DirectoryUse } from '../../../../lib/registry/directory/directory-pool.js';
import { userProtoPath } from '../../../support/user-apps.js';

/** A client that dials nothing before its first call, and what it reports. */
function createClient() {
  const seen: string[] = [];
  const options = { package: 'user', protoPath: userProtoPath, url: 'h:1', place: 'client "api"' };
  const client = new DiscoveredClient(options, (closed) =>
    seen.push(closed === client ? 'closed' : 'another one is closed'),
  );
  const use = { release: () => void seen.push('released') } as unknown as DirectoryUse;
  return { client, use, seen };
}

it('a client that is closed releases its directory, and then reports its own end', () => {
  const { client, use, seen } = createClient();
  client.hold(use);
  expect(seen).toEqual([]);
  client.close();
  expect(seen).toEqual(['released', 'closed']);
});

it('a client that holds no directory can be closed', () => {
  const { client, seen } = createClient();
  client.close();
  expect(seen).toEqual(['closed']);
});

it('a client has the packages of its proto, and one channel per proto service in use', () => {
  const { client } = createClient();
  expect(client.packages).toMatchObject([{ User: expect.any(Function) }]);
  expect(client.openChannels).toEqual([]);
  client.getService('User');
  client.getService('User');
  expect(client.openChannels.map((channel) => channel.getTarget())).toEqual(['dns:h:1']);
  client.close();
});

it('a package is found by its whole name, level by level, and only among the names of the proto itself', () => {
  const { client } = createClient();
  const inner = { Thing: {} };
  const root = { a: { b: inner, text: 'x', none: null } };
  expect(client.lookupPackage(root, 'a.b')).toBe(inner);
  expect(client.lookupPackage(root, 'a')).toBe(root.a);
  for (const name of ['b', 'a.c', 'a.text.length', 'a.none.b', 'toString', 'a.b.c.d']) {
    expect(() => client.lookupPackage(root, name)).toThrow(
      `[INVALID_OPTION] option client "api".package is "${name}"; allowed: a package of the proto`,
    );
  }
});

it('a proto without a package is found by the empty name, or without a name', () => {
  const { client } = createClient();
  const root = { Thing: {} };
  expect(client.lookupPackage(root, '')).toBe(root);
  expect(client.lookupPackage(root, undefined as unknown as string)).toBe(root);
});
