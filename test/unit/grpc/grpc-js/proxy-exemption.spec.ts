import { createRequire } from 'node:module';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { exemptFromProxies } from '../../../../lib/grpc/grpc-js/proxy-exemption.js';
import { installResolver } from '../../../../lib/grpc/resolver/resolver-table.js';

interface Mapped {
  readonly target: { readonly scheme?: string; readonly path: string };
  readonly extraOptions: object;
}

const PROXY = 'proxy.example:3128';

beforeEach(() => {
  for (const name of ['grpc_proxy', 'https_proxy', 'no_grpc_proxy', 'no_proxy'])
    vi.stubEnv(name, undefined);
  vi.stubEnv('http_proxy', `http://${PROXY}`);
});
afterEach(() => {
  vi.unstubAllEnvs();
});

/** Where grpc-js connects a channel to `SCHEME:api:80`. */
function mapped(scheme: string): Mapped {
  const { mapProxyName } = createRequire(import.meta.url)(
    '@grpc/grpc-js/build/src/http_proxy.js',
  ) as { mapProxyName(target: object, options: object): Mapped };
  return mapProxyName({ scheme, path: 'api:80' }, {});
}

const direct = (scheme: string): Mapped => ({
  target: { scheme, path: 'api:80' },
  extraOptions: {},
});

it('a target of an exempt scheme goes to no proxy, and all other targets do', () => {
  expect(mapped('exempt').target).toEqual({ scheme: 'dns', path: PROXY });
  exemptFromProxies('exempt');
  exemptFromProxies('exempt-too');
  for (const scheme of ['exempt', 'exempt-too']) expect(mapped(scheme)).toEqual(direct(scheme));
  expect(mapped('dns').target).toEqual({ scheme: 'dns', path: PROXY });
});

it('every spelling of a scheme that has a resolver is exempt', () => {
  installResolver('spelt');
  for (const scheme of ['spelt', 'Spelt', 'SPELT']) expect(mapped(scheme)).toEqual(direct(scheme));
});
