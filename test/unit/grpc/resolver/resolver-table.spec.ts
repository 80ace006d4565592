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
  constructor(override readonly scheme: string) {
    super();
  }
}

describe('installResolver', () => {
  it.each(['user', 'my-registry', 'a1+b.c'])(
    'takes the scheme %s, as often as it is asked to',
    (scheme) => {
      installResolver(scheme);
      installResolver(scheme);
    },
  );

  it.each(['cased', 'Cased', 'CASED'])('answers to %s:///api once it has cased', (scheme) => {
    installResolver('cased');
    const target = { scheme, authority: '', path: 'api' };
    const resolver = experimental.createResolver(target, () => true, {});
    expect(resolver).toBeInstanceOf(RegistryResolver);
    resolver.destroy();
  });

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

  it('is taken back as often as one likes', () => {
    const unregister = registerDiscoveryResolver(new SchemeRegistry('user'));
    unregister();
    unregister();
  });
});
