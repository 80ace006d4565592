/**
 * Edits that no test can notice, or that change only what is a matter of taste; they are not taken into a
 * sample.
 */
import type { Edit } from './find-edits.js';

/** One such edit, or several of one line. */
export interface Equivalent {
  readonly file: string;
  /** A part of the line that only this line of the file has. */
  readonly line: string;
  /** What the edit makes of the text; by default every edit that begins in the line. */
  readonly after?: string;
  readonly why: string;
}

/** The list. */
export const EQUIVALENTS: readonly Equivalent[] = [
  {
    file: 'lib/core/snapshot/snapshot.ts',
    line: 'while (tail < shorter - head',
    after: '((shorter) + (head))',
    why: 'an address stands once in a list, so the equal ends of two lists never overlap',
  },
  {
    file: 'lib/core/snapshot/snapshot.ts',
    line: 'while (head < shorter &&',
    after: 'false',
    why: 'equal ends are left out of the comparison for its cost only',
  },
  {
    file: 'lib/core/records/endpoint-address.ts',
    line: 'if (known',
    after: 'false',
    why: 'the parsed address is kept for its cost only',
  },
  {
    file: 'lib/registry/directory/guarded-list.ts',
    line: 'if (atMs === this.lookAtMs) return;',
    after: 'false',
    why: 'a timer that is set anew for the same time changes nothing but the cost of a step',
  },
  {
    file: 'lib/grpc/balancer/endpoint-balancer.ts',
    line: 'private updating = false;',
    after: 'true',
    why: 'no connection exists before the first update, which sets the flag',
  },
  {
    file: 'lib/grpc/balancer/endpoint-balancer.ts',
    line: 'if (settings === undefined || table === undefined) return;',
    after: 'false',
    why: 'nothing is published before the first update, which sets both; the check is for the types',
  },
];

/** Whether an edit is on the list. */
export function isEquivalent(
  edit: Edit,
  lineText: string,
  list: readonly Equivalent[] = EQUIVALENTS,
): boolean {
  return list.some(
    ({ file, line, after }) =>
      file === edit.file &&
      lineText.includes(line) &&
      (after === undefined || after === edit.after),
  );
}
