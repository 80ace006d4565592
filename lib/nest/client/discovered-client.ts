/** Nest's gRPC client over a discovered channel. */
import type { Client } from '@grpc/grpc-js';
import { ClientGrpcProxy, type GrpcOptions } from '@nestjs/microservices';
import { didYouMean } from '../../core/closest-name.js';
import { packageNames } from '../../grpc/service-config/method-catalog.js';
import type { DirectoryUse } from '../../registry/directory/directory-pool.js';
import { optionReader } from '../options/option-reader.js';

/** The options of Nest's client, and `place`: the name of this client in errors. */
type DiscoveredClientOptions = GrpcOptions['options'] & { readonly place: string };

/**
 * Nest's gRPC client, with access to its loaded proto and its open channels. The endpoint list stays watched
 * until the client is closed.
 */
export class DiscoveredClient extends ClientGrpcProxy {
  /** Nest's constructor sets the options before it calls `lookupPackage`. */
  declare protected readonly options: DiscoveredClientOptions;
  private use: DirectoryUse | undefined;

  /** @throws DiscoveryError `INVALID_OPTION` if the proto does not contain one of the packages */
  constructor(
    options: DiscoveredClientOptions,
    private readonly onClose: (client: DiscoveredClient) => void,
  ) {
    super(options);
  }

  /** The proto packages of this client, as grpc-js loaded them. */
  get packages(): readonly unknown[] {
    return this.grpcClients;
  }

  /** The channels that this client has opened so far: one per proto service in use. */
  get openChannels(): ReturnType<Client['getChannel']>[] {
    return [...this.clients.values()].map((client: Client) => client.getChannel());
  }

  /** Nest's own method names only the missing package; this override also lists the packages of the proto. */
  override lookupPackage(root: object, name: string): unknown {
    const path = name === '' || name === undefined ? [] : name.split('.');
    const found = path.reduce<unknown>(
      (node, key) =>
        typeof node === 'object' && node !== null && Object.hasOwn(node, key)
          ? Reflect.get(node, key)
          : undefined,
      root,
    );
    if (found !== undefined) return found;
    const known = packageNames(root);
    const allowed = `a package of the proto, which has ${known.map((one) => JSON.stringify(one)).join(', ')}`;
    return optionReader.reject(
      `${this.options.place}.package`,
      name,
      `${allowed}${didYouMean(name, known)}`,
    );
  }

  /** Keeps the use of a directory, so that the endpoint list stays watched; `close()` releases it. */
  hold(use: DirectoryUse): void {
    this.use = use;
  }

  override close(): void {
    super.close();
    this.use?.release();
    this.onClose(this);
  }
}
