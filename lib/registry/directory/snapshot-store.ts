/** The interface to a store of lists that outlives the process. */
import type { Observable } from 'rxjs';
import type { DirectoryEvent } from '../../core/discovery-event.js';
import type { Snapshot } from '../../core/snapshot/snapshot.js';
import type { StoredSnapshot } from '../../core/snapshot/stored-snapshot.js';

/** Keeps the last good list of every service. No call throws. */
export interface SnapshotStore {
  /** The kept list of a service; `undefined` if there is none that can be used. */
  load(service: string): StoredSnapshot | undefined;
  /**
   * Keeps a list; the store may write it later.
   *
   * @param current returns the current list, in O(n); called when the list is written, once for many changes
   */
  save(service: string, current: () => Snapshot): void;
  /** The registry confirmed the kept list: its age counts from now. */
  confirm(service: string): void;
  /** The failures of the store, each kind once. */
  readonly events$: Observable<DirectoryEvent>;
}
