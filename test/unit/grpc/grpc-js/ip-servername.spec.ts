import { createSecureContext } from 'node:tls';
import { ChannelCredentials } from '@grpc/grpc-js';
import { describe, expect, it } from 'vitest';
import { withoutIpServername } from '../../../../lib/grpc/grpc-js/ip-servername.js';

interface Connecting {
  _createSecureConnector(
    target: object,
    options: object,
  ): {
    connectionOptions: { servername?: string; host: string; checkServerIdentity?: unknown };
  };
}

const secure = ChannelCredentials.createFromSecureContext(createSecureContext());
const connector = (credentials: ChannelCredentials, override?: string) =>
  (credentials as unknown as Connecting)._createSecureConnector(
    { scheme: 'dns', path: 'api:443' },
    override === undefined ? {} : { 'grpc.ssl_target_name_override': override },
  ).connectionOptions;

describe('withoutIpServername', () => {
  const without = withoutIpServername(secure);

  it.each(['127.0.0.1', '::1'])('sends no server name for %s, and still verifies it', (address) => {
    const options = connector(without, address);
    expect('servername' in options).toBe(false);
    expect(options.checkServerIdentity).toBeTypeOf('function');
  });

  it('sends names as before', () => {
    expect(connector(without, 'api.example').servername).toBe('api.example');
    expect(connector(without).servername).toBe('api');
  });

  it('leaves the credentials that it was given as they are', () => {
    withoutIpServername(secure);
    expect(connector(secure, '127.0.0.1').servername).toBe('127.0.0.1');
  });

  it('makes credentials that grpc-js takes for the same', () => {
    expect(without).toBeInstanceOf(ChannelCredentials);
    expect(without._equals(secure)).toBe(true);
    expect(secure._equals(without)).toBe(true);
  });

  it('leaves insecure credentials working', () => {
    expect(withoutIpServername(ChannelCredentials.createInsecure())._isSecure()).toBe(false);
  });
});
