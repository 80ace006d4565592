/**
 * `grpc.health.v1` on the application's gRPC servers: this file serves it with the package
 * `grpc-health-check` if the `health` option says so, and asks the application's own health service for
 * readiness if there is one.
 */
import type { Server } from '@grpc/grpc-js';
import type { HealthImplementation } from 'grpc-health-check';
import { DiscoveryError } from '../../core/discovery-error.js';
import type { ReadinessCheck } from '../readiness-gate.js';

const HEALTH_SERVICE = 'grpc.health.v1.Health';
const CHECK_PATH = `/${HEALTH_SERVICE}/Check`;

type Implementation = typeof HealthImplementation;

/**
 * The health service of this application's servers. Each server has one answer for itself and one for each of
 * its services.
 */
export class HealthServing {
  private readonly served: ServedHealth[] = [];
  private Implementation: Implementation | undefined;
  private loading: Promise<void> | undefined;
  private serving = false;

  /**
   * Loads the package `grpc-health-check`, which is an optional peer dependency. Further calls return the
   * same promise.
   *
   * @throws DiscoveryError `INVALID_OPTION` if the package is not installed
   */
  load(): Promise<void> {
    this.loading ??= this.loadPackage();
    return this.loading;
  }

  /** Serves the health of a server. Call it after `load()`, and before services are added to the server. */
  addTo(server: Server): void {
    if (this.Implementation === undefined) return;
    this.served.push(new ServedHealth(new this.Implementation(), server, this.serving));
  }

  /** Sets the answer of every server and of all its services. */
  set(serving: boolean): void {
    this.serving = serving;
    for (const one of this.served) one.set(serving);
  }

  /**
   * Call it when every service was added.
   *
   * @throws DiscoveryError `INVALID_OPTION` if the application also has its own health service
   */
  assertServedOnce(): void {
    if (this.served.some(({ isServedTwice }) => isServedTwice)) throw servedTwice();
  }

  private async loadPackage(): Promise<void> {
    try {
      ({ HealthImplementation: this.Implementation } = await import('grpc-health-check'));
    } catch (cause) {
      throw new DiscoveryError(
        'INVALID_OPTION',
        'option health is true, and the package grpc-health-check cannot be loaded; install grpc-health-check ^2.1.0, or leave the option out',
        { cause },
      );
    }
  }
}

/** Answers health checks at one server: for the whole server, and for each of its services. */
class ServedHealth {
  isServedTwice = false;
  /** The names of the server's services; `''` stands for the whole server. */
  private readonly services = new Set(['']);

  constructor(
    private readonly implementation: HealthImplementation,
    server: Server,
    private serving: boolean,
  ) {
    this.set(serving);
    implementation.addToServer(server);
    beforeEachMethod(server, (path) => this.admits(path.split('/')[1] ?? ''));
  }

  set(serving: boolean): void {
    this.serving = serving;
    for (const service of this.services) this.publish(service);
  }

  private admits(service: string): boolean {
    // This must not throw: Nest would report the error as a broken proto file.
    if (service === HEALTH_SERVICE) {
      this.isServedTwice = true;
      return false;
    }
    if (!this.services.has(service)) {
      this.services.add(service);
      this.publish(service);
    }
    return true;
  }

  private publish(service: string): void {
    this.implementation.setStatus(service, this.serving ? 'SERVING' : 'NOT_SERVING');
  }
}

function servedTwice(): DiscoveryError {
  return new DiscoveryError(
    'INVALID_OPTION',
    "option health is true, and the application serves grpc.health.v1.Health itself, on the same gRPC server; allowed: one of the two. Leave the option out: the registration then follows what the application's own health service answers. Or remove that one (the package grpc.health.v1 of the microservice, or what onLoadPackageDefinition adds)",
  );
}

type CheckHandler = (
  call: { readonly request: { readonly service: string } },
  callback: (error: unknown, reply?: { readonly status?: unknown }) => void,
) => void;

/**
 * Notices when the application adds its own `grpc.health.v1` to a server, and makes a readiness check of it.
 * Call this before services are added.
 *
 * @param onServed called with the check once the service is added
 */
export function noticeServedHealth(
  server: Server,
  onServed: (check: ReadinessCheck) => void,
): void {
  beforeEachMethod(server, (path, handler) => {
    if (path !== CHECK_PATH) return true;
    const ask = handler as CheckHandler;
    onServed(
      () =>
        new Promise((resolve, reject) => {
          ask({ request: { service: '' } }, (error, reply) => {
            if (error !== null && error !== undefined) reject(error as Error);
            else resolve(reply?.status === 'SERVING' || reply?.status === 1);
          });
        }),
    );
    return true;
  });
}

/**
 * Makes a server call `admit` before it adds a method.
 *
 * @param admit gets the method's path, `/package.Service/Method`, and its handler; on `false` the method is
 *   left out
 */
function beforeEachMethod(
  server: Server,
  admit: (path: string, handler: unknown) => boolean,
): void {
  const register = server.register.bind(server);
  server.register = (name, handler, ...rest) =>
    admit(name, handler) ? register(name, handler, ...rest) : true;
}
