/**
 * Installs the packed package into applications outside the checkout: every module system and every Nest
 * version that the package supports.
 */
import { rmSync } from 'node:fs';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { EventProcess, stopEventProcesses } from '../support/event-process.js';
import { startTestEtcd, type TestEtcd } from '../support/test-etcd.js';
import { FreshApp, packPackage, type Tarball, temporaryFolder } from './fresh-app.js';

/** The oldest Nest that the peer dependencies allow. */
const OLDEST_NEST = '11.1.4';

const JEST = ['jest@30', 'ts-jest@29'];
const BEFORE_EXPORTS = '--noEmit --skipLibCheck --module commonjs --moduleResolution node10'.split(
  ' ',
);

const nestPackages = ['@nestjs/common', '@nestjs/core', '@nestjs/microservices'];

let etcd: TestEtcd;
let packFolder: string;
let tarball: Tarball;

beforeAll(async () => {
  etcd = await startTestEtcd();
  packFolder = temporaryFolder();
  tarball = await packPackage(packFolder);
});

afterEach(stopEventProcesses);

afterAll(async () => {
  await etcd?.stop();
  rmSync(packFolder, { recursive: true, force: true });
});

it('the package contains its build and its documents, and nothing else', () => {
  const expected =
    /^(dist\/[\w/.-]+\.(js|d\.ts|proto)|package\.json|README\.md|LICENSE|CHANGELOG\.md)$/;
  expect(tarball.files.filter((path) => !expected.test(path))).toEqual([]);
  expect(tarball.files).toEqual(
    expect.arrayContaining(['dist/index.js', 'dist/index.d.ts', 'LICENSE', 'README.md']),
  );
});

describe.each([
  { title: 'a Nest 12 ESM application', app: 'nest-12-esm', nest: '^12.0.0', major: '12.' },
  {
    title: 'a Nest 11 CommonJS application',
    app: 'nest-11-commonjs',
    nest: '^11.1.4',
    major: '11.',
    everySetup: true,
  },
  {
    title: 'a CommonJS application on the oldest Nest',
    app: 'nest-11-commonjs',
    nest: OLDEST_NEST,
    major: OLDEST_NEST,
  },
])('$title', ({ app: name, nest, major, everySetup = false }) => {
  let app: FreshApp | undefined;

  const fresh = (): FreshApp => {
    if (app === undefined) throw new Error('the application was not installed');
    return app;
  };

  beforeAll(async () => {
    const versions = Object.fromEntries(nestPackages.map((each) => [each, nest]));
    app = await FreshApp.install(name, tarball, versions);
  });

  afterAll(() => app?.remove());

  it('installs the package with only one grpc-js', async () => {
    for (const each of nestPackages) expect(fresh().installed(each)).toContain(major);
    const tree = await fresh().run('npm', ['ls', '@grpc/grpc-js', '--parseable', '--all']);
    expect(tree.split('\n').filter((line) => line.endsWith('@grpc/grpc-js'))).toEqual([
      `${fresh().folder}/node_modules/@grpc/grpc-js`,
    ]);
  });

  it('compiles against the packed types, registers, resolves, calls, and ends by itself', async () => {
    await fresh().compile();
    const child = new EventProcess(process.execPath, ['dist/main.js'], {
      name,
      cwd: fresh().folder,
      env: { ...process.env, ETCD_HOSTS: etcd.hosts.join(), NODE_OPTIONS: '' },
    });
    await child.waitForEvent('closed');
    expect(child.events).toEqual([
      { event: 'listening', state: 'registered' },
      { event: 'answered', message: 'welcome 张三', server: 'packed' },
      { event: 'closed' },
    ]);
    expect(await child.exit).toEqual({ code: 0, signal: null });
    expect(child.stderr).toBe('');
  });

  if (everySetup) {
    it('compiles with a module resolution of TypeScript that does not read exports', () =>
      fresh().compile(BEFORE_EXPORTS));

    it('loads the package in Jest, set up as README.md says', async () => {
      await fresh().run('npm', ['install', '--prefer-offline', '--no-audit', '--no-fund', ...JEST]);
      await fresh().run(process.execPath, ['node_modules/jest/bin/jest.js']);
    });
  }

  it('loads the package without any side effect', async () => {
    const program = `
      const before = process.listenerCount('SIGTERM') + process.listenerCount('exit');
      import('nestjs-grpc-discovery').then(() => {
        const after = process.listenerCount('SIGTERM') + process.listenerCount('exit');
        const { registerDiscoveryResolver, ...rest } = require('nestjs-grpc-discovery');
        // PipeWrap is standard output; Req are requests of the module loader, which still closes files.
        const passing = /^PipeWrap$|Req/;
        console.log(JSON.stringify({
          resources: process.getActiveResourcesInfo().filter((each) => !passing.test(each)),
          listeners: after - before,
          exports: typeof registerDiscoveryResolver === 'function' && Object.keys(rest).length > 5,
        }));
      });`;
    const output = await fresh().run(process.execPath, ['--input-type=commonjs', '-e', program]);
    expect(JSON.parse(output)).toEqual({ resources: [], listeners: 0, exports: true });
  });
});
