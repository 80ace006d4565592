import { beforeEach, describe, expect, it, vi } from 'vitest';
import { GrpcClientFactory } from '../../../lib/nest/client/grpc-client.factory.js';
import { assertOneGrpc, assertOurGrpc, twoCopiesOfNest } from '../../../lib/nest/one-copy.js';
import { validateClient } from '../../../lib/nest/options/validate-clients.js';
import { validateOptions } from '../../../lib/nest/options/validate-options.js';
import { GrpcServers } from '../../../lib/nest/server/grpc-servers.service.js';
import { DirectoryPool } from '../../../lib/registry/directory/directory-pool.js';
import { MemoryRegistry } from '../../../lib/registry/memory-registry.js';
import { systemClock } from '../../../lib/registry/system-clock.js';

/** What Node resolves and has loaded, as the tests want it. */
const node = vi.hoisted(() => ({
  /** The file of a package, by the place that asks (`library`: this library) and the name. */
  files: new Map<string, string>(),
  cache: {} as Record<string, { exports: unknown } | undefined>,
}));

vi.mock('node:module', async (original) => ({
  ...(await original<typeof import('node:module')>()),
  createRequire: (from: string) => ({
    cache: node.cache,
    resolve: (name: string) => {
      const place = from.includes('package-location') ? 'library' : from;
      const found = node.files.get(`${place}>${name}`);
      if (found === undefined) throw new Error(`there is no ${name} at ${from}`);
      return found;
    },
  }),
}));

const NEST = '/app/node_modules/@nestjs/microservices/index.js';
const OURS = '/app/node_modules/@grpc/grpc-js/build/src/index.js';
const THEIRS = '/linked/node_modules/@grpc/grpc-js/build/src/index.js';
const REMEDY =
  'allowed: one copy per process, at the place of the application. Install this library as a package (npm pack) instead of a link, or take the copy beside it away';

beforeEach(() => {
  node.files = new Map([
    ['library>@grpc/grpc-js', OURS],
    ['library>@nestjs/microservices', NEST],
    [`${NEST}>@grpc/grpc-js`, OURS],
  ]);
  node.cache = {};
});

const CLIENT = { name: 'api', package: 'user', protoPath: 'user.proto' };

describe('grpc-js', () => {
  it('is there once if Nest and this library load the same file', () => {
    expect(assertOneGrpc).not.toThrow();
  });

  it('is rejected if Nest loads another copy, and the error names both', () => {
    node.files.set(`${NEST}>@grpc/grpc-js`, THEIRS);
    expect(assertOneGrpc).toThrow(
      `[UNSUPPORTED_VERSION] @grpc/grpc-js is there twice: @nestjs/microservices loads ${THEIRS}, and this library loads ${OURS}; ${REMEDY}`,
    );
  });

  it.each(['library>@grpc/grpc-js', `${NEST}>@grpc/grpc-js`])(
    'is accepted if one of its places is unknown, as in a bundle: %s',
    (place) => {
      node.files.set(`${NEST}>@grpc/grpc-js`, THEIRS);
      node.files.delete(place);
      expect(assertOneGrpc).not.toThrow();
    },
  );
});

describe('an application whose Nest loads another copy of grpc-js', () => {
  beforeEach(() => node.files.set(`${NEST}>@grpc/grpc-js`, THEIRS));
  const refusal = '[UNSUPPORTED_VERSION] @grpc/grpc-js is there twice';

  it('cannot make a client', () => {
    const registry = new MemoryRegistry();
    const pool = new DirectoryPool(registry, { clock: systemClock });
    const factory = new GrpcClientFactory(validateOptions({ registry }, {}), pool);
    expect(() => factory.create(CLIENT)).toThrow(refusal);
  });

  it('cannot follow its servers', () => {
    expect(() => new GrpcServers({} as never).follow({} as never)).toThrow(refusal);
  });
});

it('an application that another copy of Nest has made has no container for this library', () => {
  expect(() => new GrpcServers(undefined)).toThrow(
    '[UNSUPPORTED_VERSION] @nestjs/core is there twice',
  );
});

class TheirCredentials {}
class OurCredentials {}

const check = (value: unknown) => (): void => assertOurGrpc('option credentials', value);

describe('an object of grpc-js', () => {
  beforeEach(() => {
    node.cache = {
      '/app/main.js': { exports: {} },
      [OURS]: { exports: { ChannelCredentials: OurCredentials } },
      '/gone/node_modules/@grpc/grpc-js/build/src/index.js': undefined,
      '/odd/node_modules/@grpc/grpc-js/build/src/index.js': { exports: {} },
      [THEIRS]: { exports: { ChannelCredentials: TheirCredentials } },
    };
  });

  it('is rejected if another loaded copy has made it', () => {
    expect(check(new TheirCredentials())).toThrow(
      `[UNSUPPORTED_VERSION] @grpc/grpc-js is there twice: option credentials was made by ${THEIRS}, and this library loads ${OURS}; ${REMEDY}`,
    );
  });

  it('is rejected as the credentials of a client, under the name of that option', () => {
    const client = { ...CLIENT, credentials: new TheirCredentials() };
    expect(() => validateClient('c', client)).toThrow('option c.credentials was made by');
  });

  it('is rejected even if the place of our own copy is unknown', () => {
    node.files.delete('library>@grpc/grpc-js');
    expect(check(new TheirCredentials())).toThrow('and this library loads another one;');
  });

  it('passes if our copy has made it, or no copy that is loaded', () => {
    expect(check(new OurCredentials())).not.toThrow();
    expect(check({})).not.toThrow();
  });

  it('passes if its class is only in a file of another name', () => {
    node.cache = {
      '/app/node_modules/@grpc/grpc-js/build/src/call.js': {
        exports: { ChannelCredentials: TheirCredentials },
      },
    };
    expect(check(new TheirCredentials())).not.toThrow();
  });
});

const messageWith = (...files: readonly [string, string][]): string => {
  node.files = new Map(files);
  return twoCopiesOfNest().message;
};

describe('the error about two copies of Nest', () => {
  const [, main = ''] = process.argv;
  it('names the copy of the application and ours', () => {
    const message = messageWith(
      ['library>@nestjs/core', '/a/core'],
      [`${main}>@nestjs/core`, '/b/core'],
    );
    expect(message).toBe(
      `[UNSUPPORTED_VERSION] @nestjs/core is there twice: the application is made by /b/core, and this library loads /a/core; ${REMEDY}`,
    );
  });

  it('names no place of the other copy if it is unknown, or found at our own', () => {
    const unknown = 'the application is made by another copy, and this library loads /a/core;';
    expect(messageWith(['library>@nestjs/core', '/a/core'])).toContain(unknown);
    const same = messageWith(
      ['library>@nestjs/core', '/a/core'],
      [`${main}>@nestjs/core`, '/a/core'],
    );
    expect(same).toContain(unknown);
  });

  it('names no place of ours if that is unknown', () => {
    expect(messageWith([`${main}>@nestjs/core`, '/b/core'])).toContain(
      'made by /b/core, and this library loads another one;',
    );
  });
});
