/**
 * TLS to a name that is an IP address, as `grpc.ssl_target_name_override` may say: a TLS server name must not be one (RFC 6066,
 * section 3), grpc-js sends it all the same, and Node 26 refuses. What is touched is private to grpc-js: where it looks
 * different inside than expected, nothing is changed.
 */
import { isIP } from 'node:net';
import type { ChannelCredentials } from '@grpc/grpc-js';

interface SecureConnector {
  readonly connectionOptions?: { servername?: string };
}

type CreateConnector = (...args: readonly unknown[]) => SecureConnector;

/** The same credentials, which send no IP address as server name. Certificates are verified against it as before. */
export function withoutIpServername(credentials: ChannelCredentials): ChannelCredentials {
  const create = (credentials as { _createSecureConnector?: CreateConnector })
    ._createSecureConnector;
  if (typeof create !== 'function') return credentials;
  const createConnector: CreateConnector = (...args) => {
    const connector = create.apply(credentials, args as unknown[]);
    const { connectionOptions } = connector;
    if (connectionOptions !== undefined && isIP(connectionOptions.servername ?? '') !== 0) {
      delete connectionOptions.servername;
    }
    return connector;
  };
  // Not the user's own object, which other clients may use too.
  return Object.create(credentials, {
    _createSecureConnector: { value: createConnector },
  }) as ChannelCredentials;
}
