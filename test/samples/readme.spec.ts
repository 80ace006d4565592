/**
 * The README says what the code says: its examples are files that are type-checked, its tables name every
 * option.
 */
import { readFileSync } from 'node:fs';
import { loadSync } from '@grpc/proto-loader';
import {
  DiscoveryError,
  DiscoveryModule,
  type DiscoveryModuleOptions,
} from 'nestjs-grpc-discovery';
import { expect, it } from 'vitest';
import { projectRoot } from '../support/project-root.js';

const root = projectRoot(import.meta.url);
const read = (path: string): string => readFileSync(`${root}/${path}`, 'utf8');
const readme = read('README.md');

it.each(['sample/readme/server.ts', 'sample/readme/client.ts'])(
  'the README shows %s as it is',
  (path) => {
    expect(readme).toContain(`<!-- ${path} -->\n\n\`\`\`ts\n${read(path)}\`\`\`\n`);
  },
);

it('the README shows the proto file of its examples, and proto-loader can read it', () => {
  const path = 'sample/readme/user.proto';
  expect(readme).toContain(`<!-- ${path} -->\n\n\`\`\`proto\n${read(path)}\`\`\`\n`);
  const { 'user.User': service } = loadSync(`${root}/${path}`);
  expect(Object.keys(service ?? {})).toEqual(['Login']);
});

it('the install command of the README names every required peer dependency that a Nest application lacks', () => {
  const { peerDependencies, peerDependenciesMeta } = JSON.parse(read('package.json')) as {
    peerDependencies: Record<string, string>;
    peerDependenciesMeta: Record<string, object>;
  };
  const command = /^npm install nestjs-grpc-discovery (.*)$/m.exec(readme)?.[1]?.split(' ') ?? [];
  // What every Nest application has.
  const given = ['@nestjs/common', '@nestjs/core', 'reflect-metadata', 'rxjs'];
  const needed = Object.keys(peerDependencies).filter(
    (name) => !given.includes(name) && !(name in peerDependenciesMeta),
  );
  expect(command.map((name) => name.replace(/(?<=.)@.*$/, '')).sort()).toEqual(needed.sort());
});

it('the README names the required version of grpc-health-check, and the file name of the tarball', () => {
  const { name, version, peerDependencies } = JSON.parse(read('package.json')) as {
    name: string;
    version: string;
    peerDependencies: Record<string, string>;
  };
  const range = peerDependencies['grpc-health-check'];
  expect(readme).toContain(`the package \`grpc-health-check\` \`${range}\``);
  expect(readme).toContain(`\`${name}-${version}.tgz\``);
});

it.each(['nest-11-commonjs', 'nest-12-esm'])(
  'the tsconfig.json of the README is part of the tsconfig.json of the test application %s',
  (name) => {
    const [, text = ''] = /```json\n(\{\n {2}"compilerOptions"[^]*?)```/.exec(readme) ?? [];
    const tried: unknown = JSON.parse(read(`test/package/apps/${name}/tsconfig.json`));
    expect(tried).toMatchObject(JSON.parse(text) as object);
  },
);

it('the README shows the Jest config of a test application', () => {
  const path = 'test/package/apps/nest-11-commonjs/jest.config.js';
  expect(readme).toContain(`<!-- ${path} -->\n\n\`\`\`js\n${read(path)}\`\`\`\n`);
});

it('docs/policies.md shows sample/readme/own-policy.ts, which is type-checked', () => {
  const path = 'sample/readme/own-policy.ts';
  const example = `<!-- ${path} -->\n\n\`\`\`ts\n${read(path)}\`\`\`\n`;
  expect(read('docs/policies.md')).toContain(example);
});

// The error for an unknown option lists the known ones.
const nonsense = { nonsense: 1 };
const definition = { name: 'api', package: 'user', protoPath: 'user.proto' };
it.each<[string, object]>([
  ['the module', nonsense],
  ['etcd', { etcd: nonsense }],
  ['a service', { service: { name: 'api', ...nonsense } }],
  ['a client', { clients: [{ ...definition, ...nonsense }] }],
])('the tables of the README have every option of %s', (_, options) => {
  const names = /allowed: none; \S+ has (.*)$/.exec(
    refusal(options as DiscoveryModuleOptions),
  )?.[1];
  expect(names).toBeDefined();
  const missing = names?.split(', ').filter((name) => !readme.includes(`\n| \`${name}\` `));
  expect(missing).toEqual([]);
});

function refusal(options: DiscoveryModuleOptions): string {
  try {
    DiscoveryModule.forRoot(options);
  } catch (error) {
    if (error instanceof DiscoveryError) return error.message;
    throw error;
  }
  throw new Error('nothing was refused');
}
