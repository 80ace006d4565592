/**
 * Changes how an etcd client dials, in two ways for which its grpc-js has no option: an attempt to connect
 * can be aborted, and a member that is named by an IP address can be dialled with TLS on Node 26. This
 * patches private parts of etcd3 and of its copy of grpc-js; if they look different than expected, nothing is
 * patched.
 */
import { createRequire } from 'node:module';
import { isIP } from 'node:net';
import { packageLocation } from '../../core/package-location.js';

interface SecureConnector {
  readonly connectionOptions?: { servername?: string };
}

interface Credentials {
  _createSecureConnector?(...args: readonly unknown[]): SecureConnector;
}

type Connect = (address: object, connector: object, options: unknown) => Promise<unknown>;

/** Tracks how one etcd client dials its members, so that {@link end} can abort the attempts. */
export class MemberDialling {
  private readonly attempts = new Set<AbortController>();
  private ended = false;

  /** @param client an `Etcd3` that has dialled nothing yet */
  constructor(client: object) {
    const { pool } = client as {
      readonly pool?: { readonly authenticator?: { readonly credentials?: Credentials } };
    };
    const credentials = pool?.authenticator?.credentials;
    const create = credentials?._createSecureConnector?.bind(credentials);
    if (credentials === undefined || create === undefined) return;
    installEnding();
    // etcd3 makes this object for this client alone, and uses it for its requests for tokens, too.
    credentials._createSecureConnector = (...args) => {
      const connector = create(...args);
      leaveOutIpServername(connector);
      diallings.set(connector, this);
      return connector;
    };
  }

  /** Aborts the attempts in flight, and fails all later ones. Open connections stay. */
  end(): void {
    this.ended = true;
    for (const attempt of this.attempts) attempt.abort();
  }

  /**
   * Runs one attempt to connect, which {@link end} can abort.
   *
   * @param connect connects, and stops when the signal is aborted
   */
  async run<Result>(connect: (signal: AbortSignal) => Promise<Result>): Promise<Result> {
    if (this.ended) throw new Error('the etcd client is closed');
    const attempt = new AbortController();
    this.attempts.add(attempt);
    try {
      return await connect(attempt.signal);
    } finally {
      this.attempts.delete(attempt);
    }
  }
}

/** The {@link MemberDialling} of each connector. */
const diallings = new WeakMap<object, MemberDialling>();
const endable = new WeakSet<object>();

/**
 * Patches the connector to pass a signal to `net.connect`, as a field of the address. Once per copy of
 * grpc-js.
 */
function installEnding(): void {
  const prototype = connectorPrototype();
  if (typeof prototype?.connect !== 'function' || endable.has(prototype)) return;
  endable.add(prototype);
  const connect = prototype.connect;
  prototype.connect = function (this: unknown, address, connector, options) {
    const dialling = diallings.get(connector);
    if (dialling === undefined) return connect.call(this, address, connector, options);
    return dialling.run((signal) => connect.call(this, { ...address, signal }, connector, options));
  };
}

function connectorPrototype(): { connect?: Connect } | undefined {
  try {
    const etcd3 = createRequire(packageLocation(process.cwd() + '/')).resolve('etcd3');
    const transport = createRequire(etcd3)('@grpc/grpc-js/build/src/transport.js') as {
      readonly Http2SubchannelConnector?: { readonly prototype: { connect?: Connect } };
    };
    return transport.Http2SubchannelConnector?.prototype;
  } catch {
    // In a bundle the modules have no paths of their own.
    return undefined;
  }
}

/**
 * A TLS server name must not be an IP address (RFC 6066, section 3), and Node 26 refuses one. Without a
 * server name Node verifies the certificate against the host, which is the same address.
 */
function leaveOutIpServername({ connectionOptions }: SecureConnector): void {
  if (connectionOptions !== undefined && isIP(connectionOptions.servername ?? '') !== 0) {
    delete connectionOptions.servername;
  }
}
