/** A reporter of vitest that prints the coverage of each room. */
import type { Reporter } from 'vitest/node';
import { type Coverage, coverageOfRooms, formatRooms } from './room-coverage.js';

/** The part of istanbul's coverage map that is used. */
interface CoverageMap {
  files(): readonly string[];
  fileCoverageFor(path: string): { toSummary(): { readonly data: Coverage } };
}

export class RoomReporter implements Reporter {
  onCoverage(map: unknown): void {
    const files = (map as CoverageMap).files().map((path) => {
      const { data } = (map as CoverageMap).fileCoverageFor(path).toSummary();
      return [path, data] as const;
    });
    console.log(`\n${formatRooms(coverageOfRooms(files))}\n`);
  }
}
