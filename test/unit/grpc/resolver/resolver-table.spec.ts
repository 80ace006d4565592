import { experimental } from '@grpc/grpc-js';
import { describe, expect, it } from 'vitest';
import { DiscoveryError } from '../../../../lib/core/discovery-error.js';
import {
  installResolver,
  registerDiscoveryResolver,
} from '../../../../lib/grpc/resolver/resolver-table.js';
import { RegistryResolver } from '../../../../lib/grpc/resolver/registry-resolver.js';
import { MemoryRegistry } from '../../../../lib/registry/memory-registry.js';

class SchemeRegistry extends MemoryRegistry {
  watched = 0;

  constructor(override readonly scheme: string) {
    super();
  }

  override watch(service: string): ReturnType<MemoryRegistry['watch']> {
    this.watched++;
    return super.watch(service);
  }
}

function resolverOf(
  scheme: string,
  listener: Parameters<typeof experimental.createResolver>[1],
): ReturnType<typeof experimental.createResolver> {
  return experimental.createResolver({ scheme, authority: '', path: 'api' }, listener, {});
}

/** The registry that a channel to `scheme:///api` watches. */
async function answering(
  scheme: string,
  ...registries: readonly SchemeRegistry[]
): Promise<SchemeRegistry | undefined> {
  for (const registry of registries) registry.watched = 0;
  const resolver = resolverOf(scheme, () => true);
  resolver.updateResolution();
  await Promise.resolve();
  resolver.destroy();
  return registries.find(({ watched }) => watched > 0);
}

describe('installResolver', () => {
  it.each(['user', 'my-registry', 'a1+b.c'])(
    'makes the scheme %s resolvable, also when it is called twice',
    (scheme) => {
      for (let time = 0; time < 2; time++) {
        installResolver(scheme);
        const resolver = resolverOf(scheme, () => true);
        expect(resolver).toBeInstanceOf(RegistryResolver);
        resolver.destroy();
      }
    },
  );

  it.each(['cased', 'Cased', 'CASED'])(
    'makes %s:///api resolvable if it was called with the scheme "cased"',
    (scheme) => {
      installResolver('cased');
      const resolver = resolverOf(scheme, () => true);
      expect(resolver).toBeInstanceOf(RegistryResolver);
      resolver.destroy();
    },
  );

  it.each(['', 'Etcd', '1a', 'a b', 'a/b', 'a:b', 'dns', 'ipv4', 'ipv6', 'unix', 'xds', 'http'])(
    'refuses the scheme %j',
    (scheme) => {
      const install = (): void => installResolver(scheme);
      expect(install).toThrow(DiscoveryError);
      expect(install).toThrow(`[INVALID_OPTION] registry.scheme is "${scheme}"; allowed: `);
    },
  );
});

describe('registerDiscoveryResolver', () => {
  it('refuses a registry whose scheme cannot be used', () => {
    expect(() => registerDiscoveryResolver(new SchemeRegistry('dns'))).toThrow('[INVALID_OPTION]');
  });

  it('makes channels use the registry that was registered last, until its registration is removed', async () => {
    const [one, other] = [new SchemeRegistry('stacked'), new SchemeRegistry('stacked')];
    const takeBack = [one, other].map((registry) => registerDiscoveryResolver(registry));
    expect(await answering('stacked', one, other)).toBe(other);
    takeBack[1]?.();
    expect(await answering('stacked', one, other)).toBe(one);
    // A second call removes nothing, neither this registration nor another one.
    takeBack[1]?.();
    expect(await answering('stacked', one, other)).toBe(one);
    takeBack[0]?.();
    takeBack[0]?.();
    expect(await answering('stacked', one, other)).toBeUndefined();
  });
});
