/** What a registry says about one service, step by step: one-way updates from the registry to those who follow it. */
import type { DiscoveryError } from '../discovery-error.js';
import type { Endpoint } from '../records/endpoint.js';
import type { IgnoredGroup } from '../records/ignored-records.js';
import type { Snapshot, SnapshotChange } from './snapshot.js';

/**
 * - `reset`: this is the whole list now. With `isPart` it is the beginning of a long first one, for who would rather begin than wait;
 *   the `reset` with all of it is on its way.
 * - `change`: what changed since the last update.
 * - `failure`: the registry cannot say. What it said last is not taken back; a `reset` follows when it can again.
 *
 * `left` names those of the keys that are gone whose servers said themselves that they go: no fault of the registry.
 * `ignored`: the values under the service that are left out as of this update; absent where there are none.
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
