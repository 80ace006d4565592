/** Finds the addresses of this application's services, from the options and the environment. */
import { advertisedAddress } from './advertised-address.js';
import type { BoundServer } from './grpc-servers.service.js';
import type { ResolvedOptions } from '../options/validate-options.js';
import type { ResolvedService } from '../options/validate-service.js';

/** Finds the address of a service at a server. */
export class ServiceAddresses {
  private readonly warned = new Set<string>();

  /** @param onWarning called once for each given value that is ignored */
  constructor(
    private readonly options: Pick<ResolvedOptions, 'etcd'>,
    private readonly onWarning: (text: string) => void,
  ) {}

  /** @throws DiscoveryError `INVALID_OPTION` if the port is unknown */
  of(service: ResolvedService, server: BoundServer): Promise<string> {
    return advertisedAddress({
      server,
      address: service.address,
      host: service.host,
      podIp: process.env['POD_IP'],
      registryHost: this.options.etcd?.hosts[0]?.replace(/^https?:\/\//, ''),
      onWarning: (text) => this.warnOnce(text),
    });
  }

  private warnOnce(text: string): void {
    if (this.warned.has(text)) return;
    this.warned.add(text);
    this.onWarning(text);
  }
}
