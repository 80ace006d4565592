/**
 * Holds what depends on private parts of grpc-js to one folder, `lib/grpc/grpc-js`, so that a new release of
 * grpc-js is checked against that folder alone.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import ts from 'typescript';
import { describe, expect, it } from 'vitest';
import { parseModule, readModules, type SourceModule } from './import-graph.js';

const FOLDER = 'grpc/grpc-js/';

/** Breaches outside the folder, and why each is none. */
const ALLOWED: Readonly<Record<string, string>> = {
  'etcd/connection/member-dialling.ts: names @grpc/grpc-js/build/src/transport.js':
    "etcd3's own copy of grpc-js, of which lib/grpc knows nothing",
  'grpc/connection/health-call.ts: casts through unknown':
    'the method of a client that is made at run time, which grpc-js types as any method',
  'grpc/service-config/service-config.ts: casts through unknown':
    "the config of a balancer of ours, which grpc-js's type does not know",
  'testing/embedded-etcd/wire/wire-codec.ts: casts through unknown':
    'service definitions that are made at run time, by their names',
};

/** Every member that grpc-js declares as private, or whose name says so. */
function privateMembers(): ReadonlySet<string> {
  const folder = dirname(createRequire(import.meta.url).resolve('@grpc/grpc-js'));
  const names = new Set<string>();
  for (const file of readdirSync(folder).filter((name) => name.endsWith('.d.ts'))) {
    const text = readFileSync(join(folder, file), 'utf8');
    visitNodes(ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true), (node) => {
      if (!ts.isClassElement(node) || node.name === undefined) return;
      const name = node.name.getText();
      const isPrivate =
        ts.canHaveModifiers(node) &&
        ts.getModifiers(node)?.some(({ kind }) => kind === ts.SyntaxKind.PrivateKeyword);
      if (isPrivate === true || name.startsWith('_')) names.add(name);
    });
  }
  return names;
}

const PRIVATE = privateMembers();

/** What a file outside the folder must not do, as `FILE: WHAT`. */
function breaches({ path, source, imports }: SourceModule): string[] {
  if (path.startsWith(FOLDER)) return [];
  const found = new Set<string>();
  const knowsGrpc = imports.some(
    ({ specifier }) => specifier === '@grpc/grpc-js' || specifier.endsWith('/grpc-experimental.js'),
  );
  const reach = (name: string): void => {
    if (PRIVATE.has(name)) found.add(`${path}: reaches the private ${name}`);
  };
  visitNodes(source, (node) => {
    if (ts.isStringLiteralLike(node) && node.text.startsWith('@grpc/grpc-js/')) {
      found.add(`${path}: names ${node.text}`);
    }
    if (!knowsGrpc) return;
    if (ts.isAsExpression(node)) {
      if (node.expression.kind === ts.SyntaxKind.AsExpression) {
        found.add(`${path}: casts through unknown`);
      }
      visitNodes(node.type, (part) => {
        if (ts.isTypeElement(part) && part.name !== undefined) reach(part.name.getText());
      });
    }
    if (ts.isElementAccessExpression(node) && ts.isStringLiteralLike(node.argumentExpression)) {
      reach(node.argumentExpression.text);
    }
    if (ts.isCallExpression(node) && node.expression.getText().startsWith('Reflect.')) {
      const [, name] = node.arguments;
      if (name !== undefined && ts.isStringLiteralLike(name)) reach(name.text);
    }
  });
  return [...found];
}

function visitNodes(node: ts.Node, visit: (node: ts.Node) => void): void {
  visit(node);
  ts.forEachChild(node, (child) => visitNodes(child, visit));
}

function check(text: string, path = 'nest/x.ts'): string[] {
  return breaches(parseModule(path, text));
}

describe('the library', () => {
  it('reaches private parts of grpc-js in one folder only, or has a reason', () => {
    const modules = readModules(new URL('../../../lib', import.meta.url).pathname);
    expect(modules.flatMap(breaches).sort()).toEqual(Object.keys(ALLOWED).sort());
  });
});

describe('the check of the private parts of grpc-js', () => {
  const IMPORT = `import { Client } from '@grpc/grpc-js';\n`;

  it('reads from grpc-js itself what is private', () => {
    for (const name of [
      'sessions',
      'http2Servers',
      'connector',
      'transport',
      '_getConstructorOptions',
    ]) {
      expect([...PRIVATE]).toContain(name);
    }
    expect(PRIVATE.has('getChannel')).toBe(false);
  });

  it.each([
    [
      'an import of a private file of grpc-js',
      `import { x } from '@grpc/grpc-js/build/src/server.js';`,
    ],
    [
      'a private file of grpc-js that is loaded at run time',
      `const x = load('@grpc/grpc-js/build/src/server.js');`,
    ],
  ])('reports %s', (_what, text) => {
    expect(check(text)).toEqual(['nest/x.ts: names @grpc/grpc-js/build/src/server.js']);
  });

  it.each([
    [
      'a cast to a type with that field',
      `const x = y as { readonly sessions?: Map<object, object> };`,
    ],
    ['brackets', `const x = y['sessions'];`],
    ['Reflect.get', `const x = Reflect.get(y, 'sessions');`],
  ])('reports a private field that is read by %s', (_what, text) => {
    expect(check(IMPORT + text)).toEqual(['nest/x.ts: reaches the private sessions']);
    expect(
      check(`import type { Subchannel } from '../grpc/grpc-js/grpc-experimental.js';\n${text}`),
    ).toEqual(['nest/x.ts: reaches the private sessions']);
  });

  it('reports a cast through unknown to a type that is declared elsewhere', () => {
    expect(check(`${IMPORT}const x = y as unknown as Shape;`)).toEqual([
      'nest/x.ts: casts through unknown',
    ]);
  });

  it('reports nothing in the folder that may use private parts, and no use of public parts', () => {
    const text = `${IMPORT}const x = y['sessions'] as unknown as Shape;`;
    expect(check(text, 'grpc/grpc-js/x.ts')).toEqual([]);
    expect(check(`${IMPORT}const x = (y as { getChannel(): object })['getChannel']();`)).toEqual(
      [],
    );
    expect(check(`const x = file['sessions'];`)).toEqual([]);
  });
});
