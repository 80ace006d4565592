/**
 * A workspace in which this library has its own copy of grpc-js beside the application's: the start fails and
 * says so.
 */
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  realpathSync,
  rmSync,
  symlinkSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { compileApps, userProtoPath } from '../support/child-app.js';
import { EventProcess, stopEventProcesses } from '../support/event-process.js';
import { projectRoot } from '../support/project-root.js';

const packages = join(projectRoot(import.meta.url), 'node_modules');
const GRPC = '@grpc/grpc-js';
let folder: string;

/** The library gets its own copy of grpc-js; Nest and the grpc-js that Nest has loaded are the project's. */
beforeAll(async () => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), 'two-copies-')));
  cpSync(await compileApps(), folder, { recursive: true });
  const modules = join(folder, 'node_modules');
  mkdirSync(join(modules, '@grpc'), { recursive: true });
  for (const name of readdirSync(packages).filter((one) => one !== '@grpc')) {
    symlinkSync(join(packages, name), join(modules, name));
  }
  symlinkSync(join(packages, '@grpc/proto-loader'), join(modules, '@grpc/proto-loader'));
  cpSync(join(packages, GRPC), join(modules, GRPC), { recursive: true });
}, 120_000);
afterAll(async () => {
  await stopEventProcesses();
  rmSync(folder, { recursive: true, force: true });
});

it.each<[string, string, Record<string, string>]>([
  ['server', 'api-server', { SERVICE: 'api', ETCD_HOSTS: 'http://127.0.0.1:1' }],
  ['client', 'closing-clients', { CLIENTS: '[{"endpoints":["127.0.0.1:1"]}]' }],
])(
  'a %s with two copies of grpc-js fails at its start, and the error names the places of both copies',
  async (_role, name, env) => {
    const entry = join(folder, 'test/support/apps', `${name}.js`);
    const app = new EventProcess(process.execPath, [entry], {
      name,
      env: { PATH: process.env['PATH'], USER_PROTO: userProtoPath, NO_COLOR: '1', ...env },
    });
    expect((await app.exit).code).not.toBe(0);
    const output = app.stdout + app.stderr;
    expect(output).toContain('[UNSUPPORTED_VERSION] @grpc/grpc-js is there twice');
    expect(output).toContain(`loads ${join(packages, GRPC, 'build/src/index.js')}`);
    expect(output).toContain(`loads ${join(folder, 'node_modules', GRPC, 'build/src/index.js')}`);
  },
);
