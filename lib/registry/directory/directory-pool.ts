/**
 * The directories of one registry that are in use: one per service, shared and counted, so that one watch
 * serves all channels.
 */
import { EMPTY, merge, type Observable, Subject } from 'rxjs';
import type { DirectoryEvent, DiscoveryEvent } from '../../core/discovery-event.js';
import type { Registry } from '../registry.js';
import { type DirectoryOptions, ServiceDirectory } from './service-directory.js';

/** One use of a directory; the directory's watch goes on until all its uses are released. */
export interface DirectoryUse {
  readonly directory: ServiceDirectory;
  /** Ends this use; the end of the last use ends the watch. Further calls do nothing. */
  release(): void;
}

/** Hands out directories. The first request for a service starts its watch. */
export class DirectoryPool {
  private readonly entries = new Map<string, { directory: ServiceDirectory; users: number }>();
  private readonly events = new Subject<DirectoryEvent>();

  constructor(
    readonly registry: Registry,
    private readonly options: Omit<DirectoryOptions, 'onEvent'>,
  ) {}

  /** Every change of state in the registry and in the directories on it. */
  get events$(): Observable<DiscoveryEvent> {
    return merge(this.registry.events$, this.events, this.options.snapshots?.events$ ?? EMPTY);
  }

  /** The directories in use, by service. */
  get directories(): ReadonlyMap<string, ServiceDirectory> {
    return new Map([...this.entries].map(([service, { directory }]) => [service, directory]));
  }

  acquire(service: string): DirectoryUse {
    const onEvent = (event: DirectoryEvent): void => this.events.next(event);
    const entry = this.entries.get(service) ?? {
      directory: new ServiceDirectory(this.registry, service, { ...this.options, onEvent }),
      users: 0,
    };
    this.entries.set(service, entry);
    if (entry.users++ === 0) entry.directory.start();
    let released = false;
    return {
      directory: entry.directory,
      release: () => {
        if (released) return;
        released = true;
        if (--entry.users > 0) return;
        entry.directory.stop();
        this.entries.delete(service);
      },
    };
  }
}
