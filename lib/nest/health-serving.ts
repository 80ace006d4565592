/**
 * `grpc.health.v1` on the application's gRPC servers: served for the application by the `health` option, through the
 * package `grpc-health-check`; and, where the application serves it itself, asked whether it is ready.
 */
import type { Server } from '@grpc/grpc-js';
import type { HealthImplementation } from 'grpc-health-check';
import { DiscoveryError } from '../core/discovery-error.js';
import type { ReadinessCheck } from './readiness-gate.js';

const CHECK_PATH = '/grpc.health.v1.Health/Check';

/** The health service of this application's servers. */
export class HealthServing {
  private implementation: HealthImplementation | undefined;
  private loading: Promise<void> | undefined;

  /**
   * Loads the package, which is an optional peer. Further calls return the same promise.
   *
   * @throws DiscoveryError `INVALID_OPTION` where it is not installed
   */
  load(): Promise<void> {
    this.loading ??= this.loadPackage();
    return this.loading;
  }

  /** To be called after `load()`. */
  addTo(server: Server): void {
    this.implementation?.addToServer(server);
  }

  set(serving: boolean): void {
    this.implementation?.setStatus('', serving ? 'SERVING' : 'NOT_SERVING');
  }

  private async loadPackage(): Promise<void> {
    try {
      const { HealthImplementation: Implementation } = await import('grpc-health-check');
      this.implementation = new Implementation({ '': 'NOT_SERVING' });
    } catch (cause) {
      throw new DiscoveryError(
        'INVALID_OPTION',
        'option health is true, and the package grpc-health-check cannot be loaded; install grpc-health-check ^2.1.0, or leave the option out',
        { cause },
      );
    }
  }
}

type CheckHandler = (
  call: { readonly request: { readonly service: string } },
  callback: (error: unknown, reply?: { readonly status?: unknown }) => void,
) => void;

/**
 * Notices when the application adds `grpc.health.v1` of its own to a server, and asks it then. To be called before
 * services are added.
 *
 * @param onServed called with the check once the service is added
 */
export function noticeServedHealth(
  server: Server,
  onServed: (check: ReadinessCheck) => void,
): void {
  const register = server.register.bind(server);
  server.register = (name, handler, ...rest) => {
    if (name === CHECK_PATH) {
      const ask = handler as unknown as CheckHandler;
      onServed(
        () =>
          new Promise((resolve, reject) => {
            ask({ request: { service: '' } }, (error, reply) => {
              if (error !== null && error !== undefined) reject(error as Error);
              else resolve(reply?.status === 'SERVING' || reply?.status === 1);
            });
          }),
      );
    }
    return register(name, handler, ...rest);
  };
}
