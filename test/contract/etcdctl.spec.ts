/** etcd's own command line client on the embedded server, in every version that this machine has. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { EmbeddedEtcd } from '../../lib/testing/index.js';
import { findEtcdBinaries } from '../support/etcd-process.js';

/** Every version of etcdctl that stands beside an etcd of this machine; none if there is no etcd. */
function findControls(): { version: string; path: string }[] {
  const found = new Map<string, string>();
  for (const { path: etcd } of findEtcdBinaries()) {
    const path = join(etcd, '../etcdctl');
    if (!existsSync(path)) continue;
    const output = execFileSync(path, ['version'], { encoding: 'utf8', env: environment() });
    const version = /etcdctl version: (\S+)/.exec(output)?.[1] ?? 'unknown';
    if (!found.has(version)) found.set(version, path);
  }
  return [...found].map(([version, path]) => ({ version, path }));
}

/** The environment without the settings of etcdctl: newer versions warn about settings of older ones. */
function environment(): NodeJS.ProcessEnv {
  const own = Object.entries(process.env).filter(([name]) => !name.startsWith('ETCDCTL_'));
  return Object.fromEntries(own);
}

const controls = findControls();

it.skipIf(controls.length > 0)(
  'no etcdctl is installed, so the embedded server is not tested with etcdctl',
  () => {
    expect(process.env['REQUIRE_ETCD'], 'REQUIRE_ETCD=1 asks for one').not.toBe('1');
  },
);

describe.each(controls)('etcdctl $version on the embedded server', ({ path: control }) => {
  let etcd: EmbeddedEtcd;
  beforeAll(async () => {
    etcd = await EmbeddedEtcd.start();
  });
  afterAll(() => etcd?.stop());

  function launch(...parameters: string[]): ChildProcess {
    const endpoint = ['--endpoints', `127.0.0.1:${etcd.port}`];
    return spawn(control, [...endpoint, ...parameters], { env: environment(), stdio: 'pipe' });
  }

  /** Runs a command until it ends. Returns its output, and its exit code if that is not 0. */
  function run(parameters: string[], input = ''): Promise<string> {
    const child = launch(...parameters);
    let output = '';
    child.stdout?.on('data', (chunk: Buffer) => (output += chunk.toString()));
    child.stderr?.on('data', (chunk: Buffer) => (output += chunk.toString()));
    child.stdin?.end(input);
    return new Promise((resolve, reject) => {
      child.once('error', reject);
      child.once('close', (code) => resolve(code === 0 ? output : `${output}exit ${code}\n`));
    });
  }

  it('puts, gets and deletes', async () => {
    expect(await run(['put', 'a', '1'])).toBe('OK\n');
    expect(await run(['put', 'a', '2', '--prev-kv'])).toBe('OK\na\n1\n');
    expect(await run(['put', 'b', '3'])).toBe('OK\n');
    expect(await run(['get', 'a'])).toBe('a\n2\n');
    expect(await run(['get', '', '--prefix', '--keys-only'])).toBe('a\n\nb\n\n');
    expect(await run(['get', 'a', '--rev', '2'])).toBe('a\n1\n');
    expect(await run(['get', 'a', '--print-value-only'])).toBe('2\n');
    expect(await run(['get', '', '--prefix', '--order', 'DESCEND', '--limit', '1'])).toBe('b\n3\n');
    expect(await run(['del', '', '--prefix'])).toBe('2\n');
    expect(await run(['get', 'a'])).toBe('');
    const json = JSON.parse(await run(['put', 'c', '1', '-w', 'json'])) as { header: object };
    expect(json.header).toMatchObject({ revision: 6, raft_term: 2 });
  });

  it('runs transactions', async () => {
    await run(['put', 'x', '1']);
    const transaction = 'value("x") = "1"\nversion("x") > "0"\n\nput y 2\nget x\n\nput y 3\n\n';
    expect(await run(['txn'], transaction)).toBe('SUCCESS\n\nOK\n\nx\n1\n');
    expect(await run(['txn'], transaction.replace('= "1"', '= "9"'))).toBe('FAILURE\n\nOK\n');
    expect(await run(['get', 'y', '--print-value-only'])).toBe('3\n');
  });

  it('watches from now on, and from the history', async () => {
    const child = launch('watch', 'w', '--prefix', '--prev-kv');
    let output = '';
    const isSeen = (): boolean => output !== '';
    const done = new Promise<void>((resolve) => {
      child.stdout?.on('data', (chunk: Buffer) => {
        output += chunk.toString();
        if (output.includes('DELETE')) resolve();
      });
    });
    // etcdctl prints nothing when its watch begins: the test puts the key until the watch sees it.
    while (!isSeen()) await run(['put', 'w1', 'v']);
    await run(['del', 'w1']);
    await done;
    child.kill();
    expect(output).toMatch(/^(PUT\n(w1\nv\n)?w1\nv\n)+DELETE\nw1\nv\nw1\n\n?$/);

    const { header } = JSON.parse(await run(['put', 'h', '1', '-w', 'json'])) as {
      header: { revision: number };
    };
    await run(['put', 'h', '2']);
    const past = launch('watch', 'h', '--rev', String(header.revision));
    let seen = '';
    await new Promise<void>((resolve) => {
      past.stdout?.on('data', (chunk: Buffer) => {
        seen += chunk.toString();
        if (seen.endsWith('2\n')) resolve();
      });
    });
    past.kill();
    expect(seen).toBe('PUT\nh\n1\nPUT\nh\n2\n');
  });

  it('grants, keeps alive, shows and revokes leases', async () => {
    const granted = await run(['lease', 'grant', '60']);
    const id = /^lease ([0-9a-f]+) granted with TTL\(60s\)\n$/.exec(granted)?.[1] ?? '';
    expect(id).toMatch(/^[0-9a-f]{8,16}$/);
    expect(await run(['put', 'leased', '1', '--lease', id])).toBe('OK\n');
    expect(await run(['lease', 'keep-alive', '--once', id])).toBe(
      `lease ${id} keepalived with TTL(60)\n`,
    );
    expect(await run(['lease', 'timetolive', id, '--keys'])).toMatch(
      new RegExp(
        `^lease ${id} granted with TTL\\(60s\\), remaining\\((60|59)s\\), attached keys\\(\\[leased\\]\\)\n$`,
      ),
    );
    expect(await run(['lease', 'list'])).toContain(id);
    expect(await run(['lease', 'revoke', id])).toBe(`lease ${id} revoked\n`);
    expect(await run(['get', 'leased'])).toBe('');
    expect(await run(['lease', 'keep-alive', '--once', id])).toMatch(
      /expired or revoked|requested lease not found/,
    );
    expect(await run(['lease', 'revoke', id])).toContain('requested lease not found');
  });

  it('shows members, health and status, compacts, and takes a lock', async () => {
    expect(await run(['member', 'list'])).toContain(etcd.hosts[0]);
    expect(await run(['endpoint', 'health'])).toContain('is healthy');
    expect(await run(['endpoint', 'status'])).toContain('3.6.0-embedded');
    await run(['put', 'k', '1']);
    expect(await run(['compaction', '3'])).toBe('compacted revision 3\n');
    expect(await run(['compaction', '3'])).toContain('required revision has been compacted');
    expect(await run(['lock', 'mutex', 'true'])).toBe('');
    expect(await run(['member', 'remove', '1'])).toContain('is not served by this embedded etcd');
  });
});
