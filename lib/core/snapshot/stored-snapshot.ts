/** Lists of endpoints as they are kept between two lives of a process. */
import type { Snapshot } from './snapshot.js';

/** The list of one service, and when a registry said so. */
export interface StoredSnapshot {
  readonly snapshot: Snapshot;
  /** Milliseconds since 1970. */
  readonly savedAt: number;
}
