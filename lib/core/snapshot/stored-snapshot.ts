/** Lists of endpoints that are saved over a restart of the process. */
import type { Snapshot } from './snapshot.js';

/** The list of one service, and when it came from the registry. */
export interface StoredSnapshot {
  readonly snapshot: Snapshot;
  /** When the list came from the registry, in milliseconds since 1970. */
  readonly savedAt: number;
}
