import { describe, expect, it } from 'vitest';
import { DiscoveryError } from '../../../lib/core/discovery-error.js';
import { formatTarget, parseTarget, serviceAuthority } from '../../../lib/core/target.js';
import { splitTarget } from '../../support/split-target.js';
import { seededRandom } from '../../support/seeded-random.js';

describe('parseTarget', () => {
  it.each([
    ['etcd:///api', 'api'],
    ['etcd:/api', 'api'],
    ['etcd:api', 'api'],
    ['ETCD:///api', 'api'],
    ['etcd:///a/b/c', 'a/b/c'],
    ['etcd:a/b', 'a/b'],
    ['etcd:///a%2Fb%2Fc', 'a/b/c'],
    ['etcd:///a%20b', 'a b'],
    ['etcd:///s%C3%A9rvice', 'sérvice'],
    ['etcd:///sérvice/漢', 'sérvice/漢'],
    ['etcd:///api?x#f', 'api'],
    ['etcd:///api#f?x', 'api'],
    ['etcd:///api%3Fx', 'api?x'],
    ['etcd:////api', '/api'],
    ['etcd:///api/', 'api/'],
    ['etcd://anything/api', 'api'],
    ['etcd://host:2379/api?x', 'api'],
    ['user:///pkg.v1.Greeter', 'pkg.v1.Greeter'],
  ])('reads from %s the service %s, as Go does', (target, service) => {
    expect(parseTarget(splitTarget(target))).toBe(service);
  });

  it.each([
    'etcd:///',
    'etcd:/',
    'etcd:///?x',
    'etcd://api',
    'etcd://api/',
    'etcd:?x',
    'etcd:///#api',
  ])('rejects %s, which names no service', (target) => {
    const parse = (): string => parseTarget(splitTarget(target));
    expect(parse).toThrow(DiscoveryError);
    expect(parse).toThrow(
      `[INVALID_TARGET] target "${target}" names no service; allowed: scheme:///service`,
    );
  });

  it.each(['etcd:///a%2', 'etcd:///%zz', 'etcd:///%ff'])(
    'rejects the malformed escape in %s, with the cause',
    (target) => {
      const caught = ((): unknown => {
        try {
          return parseTarget(splitTarget(target));
        } catch (error) {
          return error;
        }
      })();
      expect(caught).toBeInstanceOf(DiscoveryError);
      expect(caught).toMatchObject({ code: 'INVALID_TARGET', cause: expect.any(URIError) });
      expect(String(caught)).toContain(`"${target}" has a malformed percent escape`);
    },
  );

  it('quotes a target without a scheme in its error', () => {
    expect(() => parseTarget({ path: '' })).toThrow('target ":" names no');
  });

  it('reads back every service that formatTarget writes', () => {
    const random = seededRandom(3);
    const letters = ['a', '/', '?', '#', '%', ' ', '&', '+', ':', '@', '漢', '😀', '.', '\\', '"'];
    for (let round = 0; round < 2_000; round++) {
      const service = Array.from(
        { length: 1 + Math.floor(random() * 8) },
        () => letters[Math.floor(random() * letters.length)],
      ).join('');
      const target = formatTarget('etcd', service);
      expect(target).toMatch(/^etcd:\/\/\/[!-~]+$/);
      expect(parseTarget(splitTarget(target))).toBe(service);
    }
  });

  it('formatTarget escapes everything except slashes', () => {
    expect(formatTarget('etcd', 'a b/c?')).toBe('etcd:///a%20b/c%3F');
  });
});

describe('serviceAuthority', () => {
  it.each([
    ['api', 'api'],
    ['pkg.v1.Greeter', 'pkg.v1.Greeter'],
    ['svc.v1.2', 'svc-v1-2'],
    ['svc.0x1f', 'svc-0x1f'],
    ['v1.2a', 'v1.2a'],
    ['api:v1', 'api-v1'],
    ['a b', 'a-b'],
    ['a/b', 'a-b'],
    ['/api', 'api'],
    ['api/', 'api'],
    ['a..b', 'a.b'],
    ['.a.', 'a'],
    ['user_service', 'user-service'],
    ['sérvice', 's-rvice'],
    ['漢', 'service'],
    ['', 'service'],
    ['...', 'service'],
    ['123', 'service-123'],
    ['0x', 'service-0x'],
    ['1.2.3.4', 'service-1-2-3-4'],
    ['[::1]:80', '1-80'],
    ['a@b', 'a-b'],
    ['xn--a.b', 'xn-a.b'],
    ['XN---a', 'XN-a'],
    ['a%2Fb', 'a-2Fb'],
    ['a\r\nb', 'a-b'],
  ])('returns for %j the host %s', (service, authority) => {
    expect(serviceAuthority(service)).toBe(authority);
  });

  it('returns a host that the URL parser accepts, for any name', () => {
    const random = seededRandom(4);
    const letters = [...'aZx0189.-_~:/@[]%?# \t\\é漢', '😀', '\u0000', '\ud800', 'xn--', '0x'];
    for (let round = 0; round < 20_000; round++) {
      const service = Array.from(
        { length: Math.floor(random() * 9) },
        () => letters[Math.floor(random() * letters.length)],
      ).join('');
      const authority = serviceAuthority(service);
      expect(authority, service).toMatch(/^[A-Za-z0-9.-]+$/);
      const { host, pathname } = new URL(`http://${authority}`);
      expect(host, service).toBe(authority.toLowerCase());
      expect(pathname).toBe('/');
    }
  });
});
