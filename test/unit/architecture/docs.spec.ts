/**
 * Holds the documents to the code: the folders, files and headings that they name, and the words of the log
 * that they quote.
 */
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { describeEvent } from '../../../lib/nest/discovery-logger.service.js';
import { EVENTS } from '../nest/every-event.js';
import { readModules } from './import-graph.js';
import { ORDER } from './room-order.js';

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
    .split(/\n#{1,3} /)[0]!
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

  it('names the folders of each room in the order of their imports', () => {
    const orders = table
      .filter(isFolders)
      .map(([room, folders]) => [codeOf(room)[0]!.slice('lib/'.length), codeOf(folders)]);
    expect(Object.fromEntries(orders)).toEqual(ORDER);
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

  it.each(NAMED)(
    'in $document: each of its names in code occurs in one of these files: $item',
    ({ code }) => {
      const text = code.filter(isSource).map(textOf).join('\n');
      const missing = code.filter(isName).filter((name) => !hasName(text, name) && !isKnown(name));
      expect(missing).toEqual([]);
    },
  );
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

/** What alerts quote that is no line of the log. */
const NOT_LOGGED: Readonly<Record<string, string>> = {
  'ServiceRegistrar.status.state': 'a field of the public class',
  registering: 'a value of that field',
  conflict: 'the state of one registration',
  NOSPACE: "etcd's own alarm",
};

/** The texts in code of a signal that the log has to have, and the event that it names. */
function alertOf(signal = ''): { texts: string[]; event: string | undefined } {
  return {
    texts: codeOf(signal.replace(/\(event `[^`]+`\)/, '')),
    event: /\(event `([^`]+)`\)/.exec(signal)?.[1],
  };
}

/** The types of the events whose line has the text; in it `…` stands for any text, `N` for a number. */
function eventsWith(text: string): string[] {
  const words = text
    .replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&')
    .replaceAll(/\s*…\s*/g, '.*')
    .replaceAll(/\bN\b/g, '\\d+');
  const pattern = new RegExp(`(?<!\\w)${words}(?!\\w)`);
  return Object.values(EVENTS)
    .filter((event) => pattern.test(describeEvent(event)[1]))
    .map(({ type }) => type);
}

describe('docs/operations.md', () => {
  const alerts = rows('docs/operations.md', '## What to alert on').map(([signal]) =>
    alertOf(signal),
  );
  const quoted = alerts.flatMap(({ texts, event }) => texts.map((text) => ({ text, event })));
  const logged = quoted.filter(({ text }) => !Object.hasOwn(NOT_LOGGED, text));

  it.each(logged)('quotes words of one event of the log: $text', ({ text, event }) => {
    const found = eventsWith(text);
    expect(found).toHaveLength(1);
    if (event !== undefined) expect(found).toEqual([event]);
  });

  it('quotes the log where it says what to alert on', () => {
    expect(logged.length).toBeGreaterThanOrEqual(11);
  });

  it('quotes words that are not logged only if NOT_LOGGED says what they are', () => {
    const others = quoted.map(({ text }) => text).filter((text) => Object.hasOwn(NOT_LOGGED, text));
    expect(others.sort()).toEqual(Object.keys(NOT_LOGGED).sort());
  });
});

describe('the check of alerts', () => {
  it('reads the quoted words and the event of a signal', () => {
    expect(alertOf('`a … b` without `c` (event `lease-lost`)')).toEqual({
      texts: ['a … b', 'c'],
      event: 'lease-lost',
    });
  });

  it('finds every event whose line has the words in that order', () => {
    expect(eventsWith('wiped or restored')).toEqual(['registry-reset']);
    expect(eventsWith('using N endpoints … from the snapshot file')).toEqual(['snapshot-used']);
    expect(eventsWith('from the snapshot file … using N endpoints')).toEqual([]);
    expect(eventsWith('goes on')).toEqual(['lease-recovered', 'snapshot-failed']);
  });

  it('finds no event for words that the log does not have: several words, one word, a part of a word', () => {
    expect(['was wiped and restored', 'restarted', 'wipe'].map(eventsWith)).toEqual([[], [], []]);
  });
});

describe('docs/maintaining.md', () => {
  /** Files of the folder that use what grpc-js promises. */
  const PUBLIC_ONLY: Readonly<Record<string, string>> = {
    'lib/grpc/grpc-js/retried-codes.ts': 'reads the type `ServiceConfig`',
  };
  const table = rows('docs/maintaining.md', '### grpc-js').slice(1);
  const files = readModules(join(root, 'lib/grpc/grpc-js')).map(
    ({ path }) => `lib/grpc/grpc-js/${path}`,
  );

  it('says what each file of lib/grpc/grpc-js uses of grpc-js', () => {
    const named = table.flatMap(([, users]) => codeOf(users));
    expect(files.filter((file) => !named.includes(file))).toEqual(Object.keys(PUBLIC_ONLY));
  });

  it.each(table)(
    'names a test that fails if grpc-js lacks this part: %s',
    (_part, _users, _otherwise, tests = '') => {
      expect(codeOf(tests).filter((name) => name.endsWith('.spec.ts'))).not.toEqual([]);
      expect(tests).not.toMatch(/^none\b/);
    },
  );
});
