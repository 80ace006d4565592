/**
 * The import rules of the library: which room may use which rooms and packages, what is pure, where the two
 * delicate imports are, no cycles, no barrels inside, nothing that happens on import. One table, and a
 * function that checks it.
 */
import ts from 'typescript';
import { type ImportEdge, lineOf, type SourceModule } from './import-graph.js';

/** What the files of one room, a folder of the library, may import beside each other. */
interface Room {
  readonly rooms: readonly string[];
  /** Package names; of Node's own modules, each with its `node:`, or `node:*` for all. */
  readonly packages: readonly string[];
  /** Nothing of the outside world: no clock, no randomness, no timer, nothing asynchronous. */
  readonly pure?: true;
}

/** Every room there is. A new package or Node module in a room is a decision, and is written down here. */
const ROOMS: Readonly<Record<string, Room>> = {
  core: { rooms: [], packages: [], pure: true },
  balance: { rooms: ['core'], packages: [], pure: true },
  registry: { rooms: ['core'], packages: ['rxjs'] },
  etcd: {
    rooms: ['core', 'registry'],
    // Of node:module what finds etcd3's own grpc-js, of node:net only what tells an address from a name.
    packages: ['etcd3', 'rxjs', 'node:module', 'node:net'],
  },
  grpc: {
    rooms: ['core', 'balance', 'registry'],
    // Of node:http2 the types alone: connections of grpc-js's server are sessions of it. Of node:module what
    // finds files of grpc-js, of node:net only what tells an address from a name.
    packages: ['@grpc/grpc-js', 'rxjs', 'node:http2', 'node:module', 'node:net'],
  },
  nest: {
    rooms: ['core', 'balance', 'registry', 'etcd', 'grpc'],
    packages: [
      '@grpc/grpc-js',
      '@nestjs/common',
      '@nestjs/core',
      '@nestjs/microservices',
      'rxjs',
      // Optional, loaded by the option `health` alone.
      'grpc-health-check',
      // The file of the last good lists.
      'node:fs',
      'node:fs/promises',
      'node:path',
      // Whether what was given for a certificate is one.
      'node:crypto',
      // Which worker of several that share an address this process is.
      'node:cluster',
      // Which copies of a package are loaded.
      'node:module',
      // How many may wait for a signal.
      'node:events',
      // The address of the interface that routes to etcd, and the list of interfaces.
      'node:dgram',
      // Of node:net only what tells an address from a name: nest opens no connection.
      'node:net',
      'node:os',
    ],
  },
  cli: {
    rooms: ['core', 'registry', 'etcd'],
    // By the package's own name: its testing entry, which no room imports, when the command asks for it.
    packages: ['rxjs', 'node:*', 'nestjs-grpc-discovery'],
  },
  telemetry: {
    rooms: ['core', 'registry', 'nest'],
    packages: ['@opentelemetry/api', '@nestjs/common', 'rxjs'],
  },
  terminus: {
    rooms: ['core', 'registry', 'nest'],
    packages: ['@nestjs/terminus', '@nestjs/common', 'rxjs'],
  },
  testing: {
    rooms: ['core', 'registry'],
    packages: ['@grpc/grpc-js', '@grpc/proto-loader', 'node:*'],
  },
};

/** What package.json exports: files of names from elsewhere, for users only. */
const ENTRY_POINTS = ['index.ts', 'testing/index.ts', 'telemetry/index.ts', 'terminus/index.ts'];

/** The one file that has the etcd client in it at run time. */
const ETCD_CLIENT_FILE = 'etcd/connection/etcd-connection.ts';

/** The one file that uses grpc-js's `experimental`. */
const EXPERIMENTAL_FILE = 'grpc/grpc-js/grpc-experimental.ts';

/** Globals through which time, chance, the process or another turn of the event loop come in. */
const IMPURE_GLOBALS = new Set(
  [
    'Date performance crypto process console fetch globalThis Atomics Promise',
    'setTimeout setInterval setImmediate queueMicrotask',
  ].flatMap((names) => names.split(' ')),
);

/** Every breach of the rules, as `path:line: what is wrong`; empty when all is well. */
export function checkImports(modules: readonly SourceModule[]): string[] {
  const paths = new Set(modules.map(({ path }) => path));
  return [...modules.flatMap((module) => checkModule(module, paths)), ...findCycles(modules)];
}

function checkModule(module: SourceModule, paths: ReadonlySet<string>): string[] {
  const { path, source, imports } = module;
  const breaches: string[] = [];
  const report = (line: number, what: string): number => breaches.push(`${path}:${line}: ${what}`);
  for (const edge of imports) {
    for (const what of checkEdge(path, edge, paths)) report(edge.line, what);
  }

  const room = roomOf(path);
  if (path !== 'index.ts' && ROOMS[room] === undefined) report(1, `"${room}" is no known room`);
  if (path.endsWith('/index.ts') && !ENTRY_POINTS.includes(path)) {
    report(1, 'an index.ts that is no entry point of the package');
  }
  for (const statement of source.statements) {
    const what = checkStatement(path, statement);
    if (what !== undefined) report(lineOf(source, statement), what);
  }
  visitNodes(source, (node) => {
    const what = checkNode(path, node);
    if (what !== undefined) report(lineOf(source, node), what);
  });
  return breaches;
}

function checkEdge(path: string, edge: ImportEdge, paths: ReadonlySet<string>): string[] {
  const { specifier, file, typeOnly } = edge;
  if (edge.sideEffectOnly) return [`imports ${specifier} only for its side effects`];
  if (file !== undefined) {
    if (!paths.has(file)) return [`imports ${specifier}, which is no file of the library`];
    if (ENTRY_POINTS.includes(file)) return [`imports the entry point ${file}`];
    if (path === 'index.ts') {
      return roomOf(file) === 'testing' ? ['testing is exported by its own entry point only'] : [];
    }
    const from = roomOf(path);
    const to = roomOf(file);
    if (from === to || ROOMS[from]?.rooms.includes(to) === true) return [];
    return [`${from} must not import from ${to} (${specifier})`];
  }
  if (specifier === 'etcd3' && path !== ETCD_CLIENT_FILE && !typeOnly) {
    return [`imports etcd3 at run time, which only ${ETCD_CLIENT_FILE} may`];
  }
  if (path === 'index.ts') return [`the entry point must not import ${specifier}`];
  const room = roomOf(path);
  const packages = ROOMS[room]?.packages ?? [];
  const wanted = packageOf(specifier);
  if (packages.includes(wanted)) return [];
  if (wanted.startsWith('node:') && packages.includes('node:*')) return [];
  return [`${room} must not import ${specifier}`];
}

/** What the top level of a file may hold: declarations. Importing a file does nothing that can be noticed. */
function checkStatement(path: string, statement: ts.Statement): string | undefined {
  if (ts.isExportDeclaration(statement)) {
    const elsewhere = statement.moduleSpecifier !== undefined;
    return elsewhere && !ENTRY_POINTS.includes(path)
      ? 'exports what is from another file; import it from where it is'
      : undefined;
  }
  if (ts.isExportAssignment(statement)) return 'has a default export';
  const declares =
    ts.isImportDeclaration(statement) ||
    ts.isImportEqualsDeclaration(statement) ||
    ts.isInterfaceDeclaration(statement) ||
    ts.isTypeAliasDeclaration(statement) ||
    ts.isClassDeclaration(statement) ||
    ts.isFunctionDeclaration(statement) ||
    ts.isVariableStatement(statement) ||
    ts.isEnumDeclaration(statement) ||
    ts.isModuleDeclaration(statement);
  // The command line tool is a program: nobody imports it, and it has to start somewhere.
  return declares || roomOf(path) === 'cli' ? undefined : 'does something when it is imported';
}

function checkNode(path: string, node: ts.Node): string | undefined {
  const room = roomOf(path);
  if (ts.isIdentifier(node) && node.text === 'experimental' && path !== EXPERIMENTAL_FILE) {
    return `uses experimental, which only ${EXPERIMENTAL_FILE} may`;
  }
  if (room !== 'cli' && isTopLevelAwait(node)) return 'has a top-level await';
  if (ROOMS[room]?.pure !== true) return undefined;
  const word = impurity(node);
  return word === undefined ? undefined : `${room} is pure and must not use ${word}`;
}

function impurity(node: ts.Node): string | undefined {
  if (node.kind === ts.SyntaxKind.AsyncKeyword) return 'async';
  if (node.kind === ts.SyntaxKind.AwaitKeyword || ts.isAwaitExpression(node)) return 'await';
  if (!ts.isIdentifier(node)) return undefined;
  const { parent } = node;
  if (ts.isPropertyAccessExpression(parent) && parent.name === node) {
    const isMathRandom = node.text === 'random' && parent.expression.getText() === 'Math';
    return isMathRandom ? 'Math.random' : undefined;
  }
  if (isMemberName(node)) return undefined;
  return IMPURE_GLOBALS.has(node.text) ? node.text : undefined;
}

/** Whether an identifier is the name of a field, method or property, which may well be called `process`. */
function isMemberName(node: ts.Identifier): boolean {
  const { parent } = node;
  if (ts.isClassElement(parent) || ts.isTypeElement(parent) || ts.isPropertyAssignment(parent)) {
    return parent.name === node;
  }
  return false;
}

function isTopLevelAwait(node: ts.Node): boolean {
  const awaits = ts.isAwaitExpression(node) || (ts.isForOfStatement(node) && node.awaitModifier);
  if (!awaits) return false;
  for (let parent = node.parent; parent !== undefined; parent = parent.parent) {
    if (ts.isFunctionLike(parent) || ts.isClassStaticBlockDeclaration(parent)) return false;
  }
  return true;
}

/** One line for every cycle that a walk along the imports runs into; types count, since they bind as much. */
function findCycles(modules: readonly SourceModule[]): string[] {
  const byPath = new Map(modules.map((module) => [module.path, module]));
  const done = new Set<string>();
  const cycles: string[] = [];
  const walk = (path: string, trail: readonly string[]): void => {
    const start = trail.indexOf(path);
    if (start !== -1) {
      cycles.push(`${path}:1: imports itself: ${[...trail.slice(start), path].join(' > ')}`);
      return;
    }
    if (done.has(path)) return;
    const next = [...trail, path];
    for (const { file } of byPath.get(path)?.imports ?? []) {
      if (file !== undefined) walk(file, next);
    }
    done.add(path);
  };
  for (const { path } of modules) walk(path, []);
  return cycles;
}

function visitNodes(node: ts.Node, visit: (node: ts.Node) => void): void {
  visit(node);
  ts.forEachChild(node, (child) => visitNodes(child, visit));
}

function roomOf(path: string): string {
  const slash = path.indexOf('/');
  return slash === -1 ? '' : path.slice(0, slash);
}

/**
 * `@grpc/grpc-js/build/x` is `@grpc/grpc-js`; a module of Node's is written out: `fs/promises` is
 * `node:fs/promises`.
 */
function packageOf(specifier: string): string {
  if (specifier.startsWith('node:')) return specifier;
  const parts = specifier.split('/');
  return parts.slice(0, specifier.startsWith('@') ? 2 : 1).join('/');
}
