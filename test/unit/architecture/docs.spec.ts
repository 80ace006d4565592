/**
 * Holds the documents to the code: the folders, files and headings that they name, and the words of the log
 * that they quote.
 */
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { DiscoveryError } from '../../../lib/core/discovery-error.js';
import type { DiscoveryEvent } from '../../../lib/core/discovery-event.js';
import { describeEvent } from '../../../lib/nest/discovery-logger.service.js';

const root = new URL('../../../', import.meta.url).pathname;
const read = (path: string): string => readFileSync(join(root, path), 'utf8');

const documents = [
  'README.md',
  'CONTRIBUTING.md',
  ...readdirSync(join(root, 'docs'), { recursive: true, encoding: 'utf8' })
    .map((path) => `docs/${path.replaceAll('\\', '/')}`)
    .filter((path) => path.endsWith('.md')),
];

/** The cells of every table row below a heading, up to the next heading of that level. */
function rows(document: string, heading: string): string[][] {
  const [, section = ''] = read(document).split(`\n${heading}\n`);
  return section
    .split(/\n#{1,2} /)[0]!
    .split('\n')
    .filter((line) => line.startsWith('| ') && !line.startsWith('| -'))
    .map((line) =>
      line
        .slice(1, -1)
        .split(' | ')
        .map((cell) => cell.trim()),
    );
}

const codeOf = (cell = ''): string[] => [...cell.matchAll(/`([^`]+)`/g)].map(([, text]) => text!);

const foldersIn = (folder: string): string[] =>
  readdirSync(join(root, folder), { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => name);

/** Of two tables the first has a room in each row, the second the folders of a room. */
const isFolders = ([, folders]: string[]): boolean => folders?.startsWith('`') === true;

describe('docs/architecture.md', () => {
  const table = rows('docs/architecture.md', '## Rooms').filter(([room]) =>
    room?.startsWith('`lib/'),
  );

  it('names every room', () => {
    const rooms = table.filter((row) => !isFolders(row)).map(([room]) => codeOf(room)[0]);
    expect(rooms.sort()).toEqual(foldersIn('lib').map((name) => `lib/${name}`));
  });

  it('names every folder of every room', () => {
    const named = table
      .filter(isFolders)
      .flatMap(([room, folders]) => codeOf(folders).map((name) => `${codeOf(room)[0]}/${name}`));
    const deep = readdirSync(join(root, 'lib'), { recursive: true, encoding: 'utf8' })
      .map((path) => `lib/${path.replaceAll('\\', '/')}`)
      .filter((path) => path.split('/').length > 2 && statSync(join(root, path)).isDirectory());
    expect(named.sort()).toEqual(deep.sort());
  });
});

describe('a document', () => {
  const files = ['lib', 'test', 'bench', 'sample', '.ci'].flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' }).map(
      (path) => `/${folder}/${path.replaceAll('\\', '/')}`,
    ),
  );

  it.each(documents)('names files that are there: %s', (document) => {
    const named = codeOf(read(document).replaceAll(/^```[\s\S]*?^```/gm, ''));
    const paths = named.filter(
      (text) =>
        /^[\w.-]+(\/[\w.-]+)*\/?$/.test(text) &&
        (/^(lib|test|bench|sample|\.ci)\/./.test(text) || text.endsWith('.ts')),
    );
    const missing = paths.filter(
      (path) =>
        !existsSync(join(root, path)) &&
        !files.some((file) => file.endsWith(`/${path}`)) &&
        !/\b(NAME|user)\b/.test(path),
    );
    expect(missing).toEqual([]);
  });

  it.each(documents)('links to files and headings that are there: %s', (document) => {
    const links = [...read(document).matchAll(/\]\(([^)\s]+)\)/g)]
      .map(([, link]) => link!)
      .filter((link) => !/^[a-z]+:/.test(link));
    const broken = links.filter((link) => {
      const [path = '', heading] = link.split('#');
      const target = path === '' ? document : join(dirname(document), path);
      if (!existsSync(join(root, target))) return true;
      return heading !== undefined && !anchors(read(target)).includes(heading);
    });
    expect(broken).toEqual([]);
  });
});

/** The anchors of a document's headings, as GitHub makes them. */
function anchors(text: string): string[] {
  return [...text.matchAll(/^#{1,6} (.+)$/gm)].map(([, heading]) =>
    heading!
      .toLowerCase()
      .replaceAll(/[^\w\s-]/g, '')
      .trim()
      .replaceAll(/\s/g, '-'),
  );
}

describe('docs/operations.md', () => {
  const error = new DiscoveryError('REGISTRY_UNAVAILABLE', 'no connection');
  const addresses = ['h:1'];
  const EVENTS: readonly DiscoveryEvent[] = [
    { type: 'lease-unreachable', error, retryInMs: 100 },
    { type: 'lease-recovered', leaseId: '7' },
    { type: 'lease-left', leaseId: '7', ttlMs: 10_000, error },
    { type: 'record-refused', key: 'api/h:1', error, retryInMs: 100 },
    { type: 'removals-held', service: 'api', addresses, reason: 'many-at-once' },
    { type: 'removals-released', service: 'api', addresses, reason: 'expired' },
    { type: 'registry-reset', prefix: 'api/' },
    {
      type: 'record-ignored',
      prefix: 'api/',
      kind: 'no-dialable-address',
      count: 3,
      key: 'api/x',
      reason: 'Addr "127.0.0.1" has no port',
    },
    { type: 'snapshot-used', service: 'api', total: 3, savedAt: 0 },
    { type: 'auth-unused' },
    { type: 'members-unknown', error },
  ];
  const lines = EVENTS.map((event) => ({ type: event.type, line: describeEvent(event)[1] }));
  /** What a signal quotes: texts of the log have a space, and names of events stand behind the word. */
  const signals = rows('docs/operations.md', '## What to alert on').map(([signal = '']) => ({
    texts: codeOf(signal.replace(/\(event `[^`]+`\)/, '')).filter((text) => text.includes(' ')),
    event: /\(event `([^`]+)`/.exec(signal)?.[1],
  }));
  const quoted = signals.flatMap(({ texts, event }) => texts.map((text) => ({ text, event })));

  it.each(quoted)('quotes a line of the log: $text', ({ text, event }) => {
    const parts = text.split(/\s*…\s*|\bN\b/).filter((part) => part !== '');
    const found = lines.filter(({ line }) => parts.every((part) => line.includes(part)));
    expect(found.map(({ type }) => type)).toHaveLength(1);
    if (event !== undefined) expect(found[0]?.type).toBe(event);
  });

  it('quotes the log where it says what to alert on', () => {
    expect(quoted.length).toBeGreaterThanOrEqual(9);
  });
});
