/** The samples and the demonstration, as built and started by their own scripts. */
import { existsSync, mkdtempSync, realpathSync, rmSync, symlinkSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { EventProcess, stopEventProcesses } from '../support/event-process.js';
import { startTestEtcd, type TestEtcd } from '../support/test-etcd.js';
import { buildSamples } from './built-samples.js';

const WAIT = { timeout: 60_000, interval: 20 };
let folder: string;

beforeAll(async () => {
  folder = await buildSamples();
}, 120_000);
afterEach(stopEventProcesses);

/** Starts the application in `sample/PATH`. */
function startSample(path: string, settings: Readonly<Record<string, string>> = {}): EventProcess {
  const entry = join(folder, 'sample', path, 'dist/main.js');
  const env = { ...process.env, NO_COLOR: '1', ...settings };
  return new EventProcess(process.execPath, [entry], { name: path, env, cwd: folder });
}

/** What a process prints, once it matches. */
async function printed(sample: EventProcess, pattern: RegExp): Promise<string> {
  return vi.waitFor(() => {
    const match = pattern.exec(sample.stdout);
    if (match === null) throw new Error(`no ${pattern}:\n${sample.stdout}${sample.stderr}`);
    return match[1] ?? match[0];
  }, WAIT);
}

describe('npm start', () => {
  it('runs the whole demonstration with only Node installed, and leaves no process running', async () => {
    const nodeAlone = nodeAloneOnPath();
    const { ETCD_HOSTS: _, ...env } = process.env;
    const demo = new EventProcess('npm', ['start'], {
      cwd: folder,
      env: { ...env, PATH: nodeAlone },
    });
    const exit = await demo.exit;
    rmSync(nodeAlone, { recursive: true });
    const lines = demo.stdout.trimEnd().split('\n');
    expect(exit, demo.stdout + demo.stderr).toEqual({ code: 0, signal: null });
    expect(lines.join('\n')).toContain('etcd: the embedded one');
    expect(lines.at(-1)).toMatch(/^demo: \d+ calls, \d+ failed, 4 servers seen$/);
    const [calls, failed] = [...(lines.at(-1) ?? '').matchAll(/\d+/g)].map(Number);
    expect(calls).toBeGreaterThan(200);
    // Only a call in flight to the server that is killed can fail.
    expect(failed).toBeLessThanOrEqual(1);
    const pids = new Set([...demo.stdout.matchAll(/^ +(\d+) \| /gm)].map(([, pid]) => Number(pid)));
    expect(pids.size).toBe(5);
    expect([...pids].filter(isRunning)).toEqual([]);
  }, 120_000);

  it('exits with code 1 and says that etcd does not answer, if the etcd of ETCD_HOSTS does not', async () => {
    const demo = startSample('demo', { ETCD_HOSTS: '127.0.0.1:1' });
    expect(await demo.exit).toEqual({ code: 1, signal: null });
    expect(demo.stdout).toContain('etcd at http://127.0.0.1:1 does not answer');
    expect(demo.stdout.trimEnd()).toMatch(/\ndemo: 0 calls, 0 failed, 0 servers seen$/);
  });
});

describe('sample/01-static-list', () => {
  it('a client rotates over a hard-coded list of servers, without etcd', async (context) => {
    const ports = ['9999', '9998', '9997'];
    const free = await Promise.all(ports.map(isPortFree));
    if (free.includes(false)) return context.skip('one of the ports 9997 to 9999 is taken');
    const servers = ports.map((PORT) => startSample('01-static-list/server', { PORT }));
    await Promise.all(servers.map((server) => printed(server, /Serving on localhost:\d+\./)));
    const client = startSample('01-static-list/client', { INTERVAL_MS: '20' });
    for (const port of ports) {
      await printed(client, new RegExp(`^${port} answered: welcome 张三, says ${port}$`, 'm'));
    }
    client.kill('SIGTERM');
    expect(await client.exit).toEqual({ code: null, signal: 'SIGTERM' });
    for (const server of servers) server.kill('SIGINT');
    for (const server of servers) {
      expect(await server.exit).toEqual({ code: null, signal: 'SIGINT' });
    }
  }, 240_000);
});

describe('sample/02-user-login', () => {
  let etcd: TestEtcd;
  beforeAll(async () => {
    etcd = await startTestEtcd();
  });
  afterAll(() => etcd.stop());

  it('two servers, a client and an HTTP gateway find each other and end by a signal', async () => {
    const settings = { ETCD_HOSTS: etcd.hosts.join(','), PORT: '0', INTERVAL_MS: '20' };
    const gateway = startSample('02-user-login/gateway', settings);
    const url = await printed(gateway, /GET or POST (\S+)/);
    expect((await fetch(url)).status).toBe(503);

    const servers = [1, 2].map(() => startSample('02-user-login/api', settings));
    const addresses = await Promise.all(
      servers.map((server) => printed(server, /\[Api\] Serving as (\S+)\.$/m)),
    );
    const client = startSample('02-user-login/client', settings);
    for (const address of addresses) {
      await printed(
        client,
        new RegExp(`^${address} answered: welcome 张三, says ${address}$`, 'm'),
      );
    }

    const seen = new Set<unknown>();
    await vi.waitFor(async () => {
      const answer = (await (await fetch(url)).json()) as { message: string; server: string };
      expect(answer.message).toBe(`welcome 张三, says ${answer.server}`);
      seen.add(answer.server);
      expect(seen).toEqual(new Set(addresses));
    }, WAIT);
    const posted = await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ name: '李四', password: '1' }),
    });
    expect(await posted.json()).toMatchObject({
      message: expect.stringContaining('welcome 李四, says ') as unknown,
    });

    for (const sample of [client, gateway, ...servers]) {
      sample.kill('SIGTERM');
      expect(await sample.exit).toEqual({ code: null, signal: 'SIGTERM' });
    }
    expect(client.stdout).not.toContain('failed:');
  }, 240_000);
});

/** A folder to be the whole PATH, with node and npm in it and nothing else. */
function nodeAloneOnPath(): string {
  const path = mkdtempSync(join(tmpdir(), 'node-alone-'));
  const npm = (process.env['PATH'] ?? '')
    .split(delimiter)
    .map((entry) => join(entry, 'npm'))
    .find((entry) => existsSync(entry));
  if (npm === undefined) throw new Error('no npm on the PATH');
  symlinkSync(process.execPath, join(path, 'node'));
  symlinkSync(realpathSync(npm), join(path, 'npm'));
  // npm starts a script through it.
  symlinkSync('/bin/sh', join(path, 'sh'));
  return path;
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

function isPortFree(port: string): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(Number(port), () => server.close(() => resolve(true)));
  });
}
