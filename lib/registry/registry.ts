/** The interface to a registry: what registration and discovery need from it, and no more. */
import { concat, NEVER, type Observable, of } from 'rxjs';
import { DiscoveryError } from '../core/discovery-error.js';
import type { DiscoveryEvent } from '../core/discovery-event.js';
import type { RegistryUpdate } from '../core/snapshot/registry-update.js';
import type { Registration, RegistrationRequest } from './registration.js';

/**
 * A place where services are announced and found. Subclass it to bring a registry of your own; only `scheme`
 * and `watch` are required, the rest has defaults that suit a read-only registry.
 */
export abstract class Registry {
  /**
   * The scheme of the targets that the registry serves, in lower case: with `etcd`, clients dial
   * `etcd:///api`.
   */
  abstract readonly scheme: string;

  /**
   * Whether every removal is intended, because the registry's records neither expire nor can be wiped: then
   * no removal is held. Default false.
   */
  get removalsAreFinal(): boolean {
    return false;
  }

  /**
   * Follows one service. A subscription starts with a `reset` (for a long list perhaps its first page) or a
   * `failure`. It never completes and never errors: a registry that is away emits a `failure` and resumes by
   * itself. Unsubscribing stops everything that the subscription started.
   */
  abstract watch(service: string): Observable<RegistryUpdate>;

  /**
   * Follows the gRPC service config of a service: JSON, or `undefined` while there is no readable one; emits
   * every change. The first value comes soon, because the first calls of a channel wait for it for a short
   * time. Never completes and never errors. Default: no service has one.
   */
  watchServiceConfig(_service: string): Observable<string | undefined> {
    return concat(of(undefined), NEVER);
  }

  /**
   * Announces an endpoint and keeps it announced until the registration is closed. Returns at once; `status$`
   * shows the progress.
   *
   * @throws DiscoveryError `INVALID_OPTION` if the registry is read-only, or the request is wrong; `CLOSED`
   *   if the registry is closed
   */
  register(request: RegistrationRequest): Registration {
    throw new DiscoveryError(
      'INVALID_OPTION',
      `service "${request.service}" cannot be registered: the ${this.scheme} registry is read-only`,
    );
  }

  /** A hint that the last list may be stale, e.g. because a connection broke. A registry may ignore it. */
  refresh(_service: string): void {}

  /** Every change of state in this registry's registrations and watches. */
  get events$(): Observable<DiscoveryEvent> {
    return NEVER;
  }

  /** Where the records of a service are, for messages: `etcd prefix "api/"`. */
  describe(service: string): string {
    return `${this.scheme} registry, service "${service}"`;
  }

  /**
   * Stops everything that the registry started, and removes registrations that are still open. Resolves
   * within a bounded time.
   *
   * @param _hurry aborted when the caller stops waiting: records that are not removed by then stay until
   *   their time to live is over
   */
  close(_hurry?: AbortSignal): Promise<void> {
    return Promise.resolve();
  }
}
