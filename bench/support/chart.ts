/** Charts as SVG, made by the benches for the documentation. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { projectRoot } from '../../test/support/project-root.js';

/** One bar. */
export interface Bar {
  readonly label: string;
  readonly value: number;
}

const WIDTH = 720;
const LABELS = 190;
const ROW = 30;

/**
 * Draws horizontal bars as long as their values; with `logarithmic`, as long as their logarithms from 0.1 on.
 */
export function barChart(
  title: string,
  bars: readonly Bar[],
  unit = '',
  logarithmic = false,
): string {
  const scale = (value: number): number =>
    logarithmic ? Math.log10(Math.max(value, 0.1) / 0.1) : value;
  const longest = Math.max(...bars.map(({ value }) => scale(value)), Number.EPSILON);
  const rows = bars.map(({ label, value }, at) => {
    const width = Math.max(1, ((WIDTH - LABELS - 110) * scale(value)) / longest);
    const y = 50 + at * ROW;
    const color = /grpc-js|Go /.test(label) ? '#9aa5b1' : '#2b6cb0';
    return [
      `<text x="${LABELS - 8}" y="${y + 15}" text-anchor="end">${escape(label)}</text>`,
      `<rect x="${LABELS}" y="${y}" width="${width.toFixed(1)}" height="20" rx="2" fill="${color}"/>`,
      `<text x="${(LABELS + width + 8).toFixed(1)}" y="${y + 15}">${format(value)}${unit}</text>`,
    ].join('');
  });
  const height = 60 + bars.length * ROW;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" font-family="sans-serif" font-size="13">`,
    `<rect width="${WIDTH}" height="${height}" fill="#ffffff"/>`,
    `<text x="16" y="28" font-size="15" font-weight="bold">${escape(title)}</text>`,
    ...rows,
    '</svg>\n',
  ].join('\n');
}

/** Writes `docs/charts/NAME.svg`. */
export function writeChart(name: string, svg: string): void {
  const folder = join(projectRoot(import.meta.url), 'docs/charts');
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, `${name}.svg`), svg);
}

function format(value: number): string {
  return value.toLocaleString('en-US', { maximumSignificantDigits: value >= 1_000 ? 5 : 3 });
}

function escape(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
}
