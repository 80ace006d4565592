/**
 * How an etcd client dials, in the two respects in which its grpc-js cannot be told otherwise: an attempt to connect that is
 * under way can be ended, and a member that is named by an IP address can be dialled with TLS on Node 26. Private parts of
 * etcd3 and of its copy of grpc-js are touched; where they look different inside than expected, nothing is changed.
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

/** The attempts of one client. */
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
    // The object is etcd3's own, made for this client alone; its requests for tokens use it too.
    credentials._createSecureConnector = (...args) => {
      const connector = create(...args);
      leaveOutIpServername(connector);
      diallings.set(connector, this);
      return connector;
    };
  }

  /** Ends the attempts that are under way, and all that would follow. What is connected stays. */
  end(): void {
    this.ended = true;
    for (const attempt of this.attempts) attempt.abort();
  }

  /** @param connect connects, unless the signal comes first */
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

/** Whose attempts a connector's are. */
const diallings = new WeakMap<object, MemberDialling>();
const endable = new WeakSet<object>();

/** Has `net.connect`, which gets the address as it is, get a signal with it. Once per copy of grpc-js. */
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
    // A bundle, in which modules have no places of their own.
    return undefined;
  }
}

/**
 * A TLS server name must not be an IP address (RFC 6066, section 3), and Node 26 refuses one. Without it Node verifies the
 * certificate against the host, which is the same address.
 */
function leaveOutIpServername({ connectionOptions }: SecureConnector): void {
  if (connectionOptions !== undefined && isIP(connectionOptions.servername ?? '') !== 0) {
    delete connectionOptions.servername;
  }
}
