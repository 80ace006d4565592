/** The port to a registry: what registration and discovery need from it, and no more. */
import { concat, NEVER, type Observable, of } from 'rxjs';
import { DiscoveryError } from '../core/discovery-error.js';
import type { DiscoveryEvent } from '../core/discovery-event.js';
import type { RegistryUpdate } from '../core/snapshot/registry-update.js';
import type { Registration, RegistrationRequest } from './registration.js';

/**
 * A place where services are announced and found. Subclass it to bring a registry of your own; only `scheme` and `watch`
 * are required, the rest has defaults that suit a read-only registry.
 */
export abstract class Registry {
  /** The target scheme it answers to, lower case: with `etcd`, clients dial `etcd:///api`. */
  abstract readonly scheme: string;

  /**
   * Whether a removal is always meant, because nothing runs out and nothing can be wiped: then none is ever held. Default false.
   */
  get removalsAreFinal(): boolean {
    return false;
  }

  /**
   * Follows one service. A subscription starts with a `reset` (of a long list perhaps its beginning first) or a `failure`, and then
   * never completes and never errors: a registry that is away says so with a `failure` and comes back by itself. Unsubscribing stops
   * everything it started.
   */
  abstract watch(service: string): Observable<RegistryUpdate>;

  /**
   * Follows what a service asks of its clients: a gRPC service config in JSON, `undefined` while there is none or none can be
   * read, again with every change. Begins soon, because first calls wait for it a moment; never completes and never errors.
   * Default: there is none.
   */
  watchServiceConfig(_service: string): Observable<string | undefined> {
    return concat(of(undefined), NEVER);
  }

  /**
   * Announces an endpoint and keeps it announced until the registration is closed. Returns at once; `status$` tells how
   * it goes.
   *
   * @throws DiscoveryError `INVALID_OPTION` where the registry is read-only, or the request is wrong; `CLOSED` where it was closed
   */
  register(request: RegistrationRequest): Registration {
    throw new DiscoveryError(
      'INVALID_OPTION',
      `service "${request.service}" cannot be registered: the ${this.scheme} registry is read-only`,
    );
  }

  /** A hint that the last list may be stale, e.g. because a connection broke. May be ignored. */
  refresh(_service: string): void {}

  /** Every change of state in this registry's registrations and watches. */
  get events$(): Observable<DiscoveryEvent> {
    return NEVER;
  }

  /** Where the records of a service stand, for messages: `etcd prefix "api/"`. */
  describe(service: string): string {
    return `${this.scheme} registry, service "${service}"`;
  }

  /**
   * Ends everything the registry started; registrations that are still open are taken out. Resolves within a bounded time.
   *
   * @param _hurry once it is aborted nobody waits any more: what the registry has not answered by then is left to its time to live
   */
  close(_hurry?: AbortSignal): Promise<void> {
    return Promise.resolve();
  }
}
