/** Where lists outlive the process. */
import type { Observable } from 'rxjs';
import type { DirectoryEvent } from '../../core/discovery-event.js';
import type { Snapshot } from '../../core/snapshot/snapshot.js';
import type { StoredSnapshot } from '../../core/snapshot/stored-snapshot.js';

/** A place for the last good list of every service. No call throws. */
export interface SnapshotStore {
  /** The list of a service as it was kept, `undefined` where there is none that can be used. */
  load(service: string): StoredSnapshot | undefined;
  /**
   * Keeps a list, sooner or later.
   *
   * @param current reads the list as it then is, O(n): called when it is written, once for many changes
   */
  save(service: string, current: () => Snapshot): void;
  /** The registry says the kept list again: from now on it is as old as that. */
  confirm(service: string): void;
  /** What goes wrong, each kind once. */
  readonly events$: Observable<DirectoryEvent>;
}
