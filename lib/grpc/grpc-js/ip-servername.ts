/**
 * Sends no IP address as TLS server name. `grpc.ssl_target_name_override` may be an IP address; a server name
 * must not be an IP address (RFC 6066, section 3), but grpc-js sends it, and Node 26 refuses it. This file
 * changes a private field of grpc-js; if grpc-js does not have that field, nothing is changed.
 */
import { isIP } from 'node:net';
import type { ChannelCredentials } from '@grpc/grpc-js';

interface SecureConnector {
  readonly connectionOptions?: { servername?: string };
}

type CreateConnector = (...args: readonly unknown[]) => SecureConnector;

/**
 * The same credentials, but without an IP address as server name. Certificates are still verified against
 * that address.
 */
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
  // A new object, because other clients may use the user's own one.
  return Object.create(credentials, {
    _createSecureConnector: { value: createConnector },
  }) as ChannelCredentials;
}
