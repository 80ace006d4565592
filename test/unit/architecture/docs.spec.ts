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

/** The folders inside the rooms, as `lib/core/lease`. */
const foldersInRooms = (): string[] =>
  readdirSync(join(root, 'lib'), { recursive: true, encoding: 'utf8' })
    .map((path) => `lib/${path.replaceAll('\\', '/')}`)
    .filter((path) => path.split('/').length > 2 && statSync(join(root, path)).isDirectory());

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
    expect(named.sort()).toEqual(foldersInRooms().sort());
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

/** Files whose names are known without the file: error codes, and the options that a user sets. */
const KNOWN_WITHOUT_FILE = [
  'lib/core/discovery-error.ts',
  'lib/etcd/etcd-options.ts',
  'lib/grpc/balancer/policies.ts',
  'lib/nest/options/discovery-options.ts',
];

/** Names that stand in no file of ours, and why a document needs them. */
const FOREIGN: Readonly<Record<string, string>> = {
  'grpc.internal.no_subchannel': 'the prefix of options that grpc-js keeps from subchannels',
  'app.listen()': "Nest's",
};

describe('a row, list item or paragraph that names files', () => {
  const folders = ['lib', ...foldersInRooms().map((path) => path.slice(path.lastIndexOf('/') + 1))];
  const isKnown = (name: string): boolean =>
    folders.includes(name) ||
    Object.hasOwn(FOREIGN, name) ||
    KNOWN_WITHOUT_FILE.some((file) => hasName(read(file), name));
  const sources = ['lib', 'test'].flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
      .map((path) => `${folder}/${path.replaceAll('\\', '/')}`)
      .filter((path) => path.endsWith('.ts')),
  );

  /** The text of the files that a path in a document means: the end of a path is enough, `*` is any text. */
  const textOf = (path: string): string => {
    const pattern = path.split('*').map((part) => part.replaceAll(/[^\w/-]/g, '\\$&'));
    const isMeant = new RegExp(`(^|/)${pattern.join('[^/]*')}$`);
    return sources
      .filter((file) => isMeant.test(file))
      .map(read)
      .join('\n');
  };

  const NAMED = ['docs/maintaining.md', 'docs/architecture.md'].flatMap((document) =>
    items(read(document))
      .map((item) => ({ document, item, code: codeOf(item) }))
      .filter(({ code }) => code.some(isSource)),
  );

  it.each(NAMED)('$document: its names in code occur in one of them: $item', ({ code }) => {
    const text = code.filter(isSource).map(textOf).join('\n');
    const missing = code.filter(isName).filter((name) => !hasName(text, name) && !isKnown(name));
    expect(missing).toEqual([]);
  });
});

/** The table rows, list items and paragraphs of a document, each on one line; no code blocks. */
function items(document: string): string[] {
  return document
    .replaceAll(/^```[\s\S]*?^```/gm, '')
    .replaceAll(/\n(?=\||- |\d+\. |#)/g, '\n\n')
    .split(/\n{2,}/)
    .map((item) => item.replaceAll(/\s+/g, ' ').trim());
}

const isSource = (code: string): boolean => /^[\w./*-]+\.ts$/.test(code) && !code.includes('NAME');

/** An identifier, a member of one, the name of an event or an option of a channel. */
const isName = (code: string): boolean =>
  /^…?[A-Za-z_.][\w.-]*(\(\))?$/.test(code) && !isSource(code);

/** Whether the whole name is in the text, or each identifier in it. */
function hasName(text: string, name: string): boolean {
  const plain = name.replace(/^….|\(\)$/g, '');
  const has = (word: string) =>
    new RegExp(`(?<![\\w-])${word.replaceAll('.', '\\.')}(?![\\w-])`).test(text);
  return has(plain) || plain.split('.').every(has);
}

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
