/** The updates that a registry sends about one service to its watcher. */
import type { DiscoveryError } from '../discovery-error.js';
import type { Endpoint } from '../records/endpoint.js';
import type { IgnoredGroup } from '../records/ignored-records.js';
import type { Snapshot, SnapshotChange } from './snapshot.js';

/**
 * An update of a registry about one service:
 * - `reset`: the complete list. With `isPart` it is the first page of a long initial list; a `reset` with the
 *   complete list follows.
 * - `change`: the changes since the last update.
 * - `failure`: the registry does not answer. The last list stays valid; a `reset` follows when the registry
 *   is back.
 *
 * `left`: removed keys whose servers had announced their shutdown (`draining`), so that the removal is no
 * fault of the registry. `ignored`: the values of the service that lists leave out from this update on;
 * absent if there are none.
 */
export type RegistryUpdate<Value = Endpoint> =
  | {
      readonly kind: 'reset';
      readonly snapshot: Snapshot<Value>;
      readonly left?: readonly string[];
      readonly ignored?: readonly IgnoredGroup[];
      readonly isPart?: true;
    }
  | {
      readonly kind: 'change';
      readonly change: SnapshotChange<Value>;
      readonly left?: readonly string[];
      readonly ignored?: readonly IgnoredGroup[];
    }
  | { readonly kind: 'failure'; readonly error: DiscoveryError };
