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

  it.each(['127.0.0.1', '::1'])(
    'sends no server name for the address %s, and still verifies certificates',
    (address) => {
      const options = connector(without, address);
      expect('servername' in options).toBe(false);
      expect(options.checkServerIdentity).toBeTypeOf('function');
    },
  );

  it('still sends server names that are no IP addresses', () => {
    expect(connector(without, 'api.example').servername).toBe('api.example');
    expect(connector(without).servername).toBe('api');
  });

  it('does not change the given credentials', () => {
    withoutIpServername(secure);
    expect(connector(secure, '127.0.0.1').servername).toBe('127.0.0.1');
  });

  it('returns credentials that grpc-js considers equal to the given ones', () => {
    expect(without).toBeInstanceOf(ChannelCredentials);
    expect(without._equals(secure)).toBe(true);
    expect(secure._equals(without)).toBe(true);
  });

  it('returns insecure credentials as insecure ones, whose connections have no server name', () => {
    const insecure = withoutIpServername(ChannelCredentials.createInsecure());
    expect(insecure._isSecure()).toBe(false);
    expect(connector(insecure, '127.0.0.1')).toBeUndefined();
  });

  it('returns credentials of another grpc-js as they are', () => {
    const strange = {} as ChannelCredentials;
    expect(withoutIpServername(strange)).toBe(strange);
  });
});
