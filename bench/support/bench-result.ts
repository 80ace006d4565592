/** The result of a bench: our figures beside those of a reference, from one run. */

/** One figure. Both sides are measured in the same run, on the same machine. */
export interface BenchRow {
  readonly name: string;
  /** The unit of both figures, such as `calls/s` or `µs`. */
  readonly unit: string;
  readonly ours: number;
  readonly reference: number;
  readonly referenceName: string;
  /** `ours / reference`. */
  readonly ratio: number;
}

export interface BenchResult {
  readonly bench: string;
  /** The version of Node that ran the bench, e.g. `v20.19.0`. */
  readonly node: string;
  /** The etcd that the bench used, e.g. `etcd 3.4.23`. */
  readonly etcd: string;
  readonly rows: readonly BenchRow[];
  /** What a reader should know about this run, such as its spread. Printed, and not part of the JSON. */
  readonly notes?: readonly string[];
}

/**
 * The exports of every file of `bench/` but `run.ts`: `export async function run(): Promise<BenchResult>`.
 */
export interface BenchModule {
  /** @param parameters the words after the bench's name on the command line */
  run(parameters: readonly string[]): Promise<BenchResult>;
}

/** Makes a row, with its ratio. */
export function benchRow(row: Omit<BenchRow, 'ratio'>): BenchRow {
  return { ...row, ratio: row.ours / row.reference };
}

/** Encodes a result as JSON: `{ bench, node, etcd, rows }`. */
export function encodeResult({ bench, node, etcd, rows }: BenchResult): string {
  return `${JSON.stringify({ bench, node, etcd, rows }, undefined, 2)}\n`;
}

/** Formats a result as a table of text. */
export function formatResult({ bench, node, etcd, rows, notes = [] }: BenchResult): string {
  const table = [
    ['', 'ours', 'reference', 'ratio', 'the reference is'],
    ...rows.map((row) => [
      `${row.name}, ${row.unit}`,
      formatNumber(row.ours),
      formatNumber(row.reference),
      row.ratio.toFixed(3),
      row.referenceName,
    ]),
  ];
  const widths = [0, 1, 2, 3].map((column) =>
    Math.max(...table.map((cells) => cells[column]?.length ?? 0)),
  );
  const lines = table.map((cells) =>
    cells
      .map((cell, column) => {
        if (column === 0) return cell.padEnd(widths[0] ?? 0);
        return column === 4 ? cell : cell.padStart(widths[column] ?? 0);
      })
      .join('  '),
  );
  return [`${bench}: node ${node}, ${etcd}`, ...lines, ...notes].join('\n');
}

function formatNumber(value: number): string {
  return value.toLocaleString('en-US', { maximumSignificantDigits: value >= 1000 ? 6 : 4 });
}
