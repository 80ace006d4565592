/** Holds the library to its import rules, and shows that the check reports every kind of breach. */
import { describe, expect, it } from 'vitest';
import { parseModule, readModules } from './import-graph.js';
import { checkImports } from './import-rules.js';

/** A small library that keeps the rules; each test adds one file that does not. */
const FAULTLESS: Readonly<Record<string, string>> = {
  'index.ts': `export { add } from './core/add.js';\nexport type { Port } from './registry/port.js';`,
  'core/add.ts': `export function add(a: number, b: number): number { return a + b; }`,
  'registry/port.ts': `import type { Observable } from 'rxjs';\nexport interface Port { watch(): Observable<void> }`,
  'etcd/connection/etcd-connection.ts': `import { Etcd3 } from 'etcd3';\nexport const connect = () => new Etcd3();`,
  'etcd/etcd-options.ts': `import { type Etcd3 } from 'etcd3';\nexport interface Options { client: Etcd3 }`,
  'grpc/grpc-js/grpc-experimental.ts': `import { experimental } from '@grpc/grpc-js';\nexport const register = experimental.registerResolver;`,
  'nest/address.ts': `import { networkInterfaces } from 'node:os';\nexport const list = async () => await networkInterfaces();`,
  'testing/index.ts': `export { serve } from './serve.js';`,
  'testing/serve.ts': `import { createServer } from 'node:net';\nexport const serve = createServer;`,
  'cli/main.ts': `import { argv } from 'node:process';\nconsole.log(argv);`,
};

function breaches(files: Readonly<Record<string, string>>): string[] {
  const all = { ...FAULTLESS, ...files };
  return checkImports(Object.entries(all).map(([path, text]) => parseModule(path, text)));
}

describe('the library', () => {
  const modules = readModules(new URL('../../../lib', import.meta.url).pathname);

  it('is there to be checked', () => {
    expect(modules.length).toBeGreaterThan(20);
  });

  it('keeps the import rules', () => {
    expect(checkImports(modules)).toEqual([]);
  });
});

describe('the check of imports', () => {
  it('accepts files that keep the rules', () => {
    expect(breaches({})).toEqual([]);
  });

  it.each([
    ['a package in core', 'core/x.ts', `import { map } from 'rxjs';`, 'core must not import rxjs'],
    ['a Node module in core', 'core/x.ts', `import 'node:net';`, 'only for its side effects'],
    [
      'a type of a Node module in core',
      'core/x.ts',
      `import type { Stats } from 'node:net';`,
      'core must not import node:net',
    ],
    ['a package in balance', 'balance/x.ts', `import { map } from 'rxjs';`, 'must not import rxjs'],
    [
      'an import from a later room',
      'core/x.ts',
      `import type { Port } from '../registry/port.js';`,
      'core must not import from registry',
    ],
    [
      'etcd in grpc',
      'grpc/x.ts',
      `import { connect } from '../etcd/connection/etcd-connection.js';`,
      'grpc must not import from etcd',
    ],
    [
      'grpc in etcd',
      'etcd/x.ts',
      `export type R = import('../grpc/grpc-js/grpc-experimental.js').R;`,
      'etcd must not import from grpc',
    ],
    [
      'grpc-js in etcd',
      'etcd/x.ts',
      `import * as g from '@grpc/grpc-js';`,
      'must not import @grpc',
    ],
    [
      'a deep import into a package',
      'registry/x.ts',
      `import x from '@grpc/grpc-js/build/src/y.js';`,
      'registry must not import @grpc/grpc-js/build/src/y.js',
    ],
    ['Nest in the CLI', 'cli/x.ts', `import { Logger } from '@nestjs/common';`, 'must not import'],
    [
      'the testing room in nest',
      'nest/x.ts',
      `import { serve } from '../testing/serve.js';`,
      'nest must not import from testing',
    ],
    [
      'the testing room at the main entry point',
      'index.ts',
      `export { serve } from './testing/serve.js';`,
      'its own entry point only',
    ],
    [
      'an import from an entry point',
      'nest/x.ts',
      `import { add } from '../index.js';`,
      'entry point index.ts',
    ],
    [
      'an import from the entry point of its own room',
      'testing/x.ts',
      `import { serve } from './index.js';`,
      'entry point testing/index.ts',
    ],
    [
      'a Node module that the rules do not allow',
      'nest/x.ts',
      `import fs from 'node:tls';`,
      'node:tls',
    ],
    [
      'a Node module by its bare name',
      'testing/x.ts',
      `import fs from 'fs';`,
      'must not import fs',
    ],
    [
      'an import of the etcd client at run time',
      'etcd/x.ts',
      `import { Etcd3 } from 'etcd3';`,
      'etcd3 at run time',
    ],
    [
      'a type of the etcd client in nest',
      'nest/x.ts',
      `import type { Etcd3 } from 'etcd3';`,
      'etcd3',
    ],
    [
      'a dynamic import of the etcd client',
      'etcd/x.ts',
      `export const load = () => import('etcd3');`,
      'etcd3 at run time',
    ],
    ['a call of require', 'etcd/x.ts', `export const x = require('fs');`, 'must not import fs'],
    [
      'an import of a computed name',
      'etcd/x.ts',
      `export const f = (n: string) => import(n);`,
      'computed',
    ],
    [
      'an import of experimental by name',
      'grpc/x.ts',
      `import { experimental } from '@grpc/grpc-js';`,
      'uses experimental',
    ],
    [
      'a use of experimental by its namespace',
      'grpc/x.ts',
      `import * as grpc from '@grpc/grpc-js';\nexport const r = grpc.experimental;`,
      'grpc/x.ts:2: uses experimental',
    ],
    [
      'an import of a file that does not exist',
      'core/x.ts',
      `import { y } from './y.js';`,
      'no file of the library',
    ],
    ['an unknown room', 'utils/x.ts', `export const a = 1;`, '"utils" is no known room'],
    ['a barrel', 'core/index.ts', `export { add } from './add.js';`, 'no entry point'],
    [
      'a barrel by another name',
      'core/all.ts',
      `export * from './add.js';`,
      'import it from where',
    ],
    ['a default export', 'core/x.ts', `export default 1;`, 'default export'],
    [
      'a module that runs a call when it is imported',
      'nest/x.ts',
      `console.log('hello');`,
      'does something when',
    ],
    [
      'a top-level await',
      'nest/x.ts',
      `export const a = await Promise.resolve(1);`,
      'top-level await',
    ],
    [
      'the current time in core',
      'core/x.ts',
      `export const f = () => Date.now();`,
      'must not use Date',
    ],
    ['a new Date in core', 'core/x.ts', `export const f = () => new Date();`, 'must not use Date'],
    [
      'Math.random in balance',
      'balance/x.ts',
      `export const f = () => Math.random();`,
      'must not use Math.random',
    ],
    [
      'a timer in core',
      'core/x.ts',
      `export const f = () => setTimeout(() => {}, 1);`,
      'setTimeout',
    ],
    [
      'a timer of globalThis in core',
      'core/x.ts',
      `export const f = globalThis.setTimeout;`,
      'globalThis',
    ],
    [
      'an async function in core',
      'core/x.ts',
      `export async function f() {}`,
      'must not use async',
    ],
    [
      'a promise in core',
      'core/x.ts',
      `export const f = () => Promise.resolve();`,
      'must not use Promise',
    ],
    [
      'the type Promise in core',
      'core/x.ts',
      `export type F = () => Promise<void>;`,
      'must not use Promise',
    ],
    [
      'process.env in balance',
      'balance/x.ts',
      `export const f = () => process.env;`,
      'must not use process',
    ],
  ])('reports a breach: %s', (_what, path, text, message) => {
    expect(breaches({ [path]: text }).join('\n')).toContain(message);
  });

  it('names the file and the line', () => {
    expect(breaches({ 'core/x.ts': `\n\nimport { map } from 'rxjs';` })).toEqual([
      'core/x.ts:3: core must not import rxjs',
    ]);
  });

  it('reports a cycle of files, also one that a type import closes', () => {
    const files = {
      'core/a.ts': `import { b } from './b.js';\nexport const a = () => b;`,
      'core/b.ts': `import type { c } from './c.js';\nexport const b = (): c => 1;`,
      'core/c.ts': `import { a } from './a.js';\nexport type c = typeof a;`,
    };
    expect(breaches(files)).toEqual([
      'core/a.ts:1: imports itself: core/a.ts > core/b.ts > core/c.ts > core/a.ts',
    ]);
  });

  it('lets a pure room have members that are called like globals', () => {
    const text = `export interface Clock { setTimeout(run: () => void): void }
      export const f = (clock: Clock, random: { random(): number }) => {
        clock.setTimeout(() => {});
        return random.random();
      };`;
    expect(breaches({ 'core/x.ts': text })).toEqual([]);
  });
});
