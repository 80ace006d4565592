import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { EmbeddedEtcd } from 'nestjs-grpc-discovery/testing';
import { freePort } from './ports.js';

/** How long an etcd that the demonstration starts may take to answer, in milliseconds. */
const READY_WITHIN_MS = 15_000;

/** An etcd to run the demonstration on. */
export interface FoundEtcd {
  /** Describes this etcd to the user. */
  readonly description: string;
  readonly hosts: readonly string[];
  /** Ends the etcd, if the demonstration started it. */
  stop(): Promise<void>;
}

/** Finds the cluster that `ETCD_HOSTS` names; else starts an `etcd` from the PATH; else the embedded one. */
export async function findEtcd(): Promise<FoundEtcd> {
  const named = (process.env['ETCD_HOSTS'] ?? '').trim();
  if (named !== '') {
    return {
      description: 'the one that ETCD_HOSTS names',
      hosts: memberUrls(named),
      stop: doNothing,
    };
  }
  return (await startInstalled()) ?? startEmbedded();
}

async function doNothing(): Promise<void> {}

function memberUrls(text: string): string[] {
  const hosts = text.split(',').map((host) => host.trim());
  return hosts.map((host) => (host.includes('://') ? host : `http://${host}`));
}

async function startEmbedded(): Promise<FoundEtcd> {
  const etcd = await EmbeddedEtcd.start();
  return {
    description:
      'the embedded one of nestjs-grpc-discovery/testing, for development and tests only',
    hosts: etcd.hosts,
    stop: () => etcd.stop(),
  };
}

async function startInstalled(): Promise<FoundEtcd | undefined> {
  const binary = (process.env['PATH'] ?? '')
    .split(delimiter)
    .map((folder) => join(folder, 'etcd'))
    .find((path) => existsSync(path));
  if (binary === undefined) return undefined;
  const folder = mkdtempSync(join(tmpdir(), 'discovery-demo-'));
  const url = `http://127.0.0.1:${await freePort()}`;
  const peer = `http://127.0.0.1:${await freePort()}`;
  const flags = {
    name: 'demo',
    'data-dir': join(folder, 'data'),
    'log-level': 'error',
    'listen-client-urls': url,
    'advertise-client-urls': url,
    'listen-peer-urls': peer,
    'initial-advertise-peer-urls': peer,
    'initial-cluster': `demo=${peer}`,
  };
  const child = spawn(
    binary,
    Object.entries(flags).map(([flag, value]) => `--${flag}=${value}`),
    { stdio: 'ignore', env: environmentForEtcd() },
  );
  const ended = new Promise<void>((resolve) => {
    child.once('exit', () => resolve());
    child.once('error', () => resolve());
  });
  const stop = async (): Promise<void> => {
    child.kill('SIGKILL');
    await ended;
    rmSync(folder, { recursive: true, force: true });
  };
  if (await becomesReady(child, url)) {
    const description = `${version(binary)} from the PATH, in a temporary folder`;
    return { description, hosts: [url], stop };
  }
  await stop();
  console.log(`${binary} did not start; going on with the embedded etcd.`);
  return undefined;
}

/**
 * etcd also reads its settings from environment variables `ETCD_…`; those of the user are for other etcds.
 */
function environmentForEtcd(): NodeJS.ProcessEnv {
  return Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !name.startsWith('ETCD_')),
  );
}

function version(binary: string): string {
  const output = execFileSync(binary, ['--version'], { encoding: 'utf8' });
  return /etcd Version: (\S+)/.exec(output)?.[1] ?? 'of unknown version';
}

async function becomesReady(child: ChildProcess, url: string): Promise<boolean> {
  const deadline = performance.now() + READY_WITHIN_MS;
  while (performance.now() < deadline && child.pid !== undefined && child.exitCode === null) {
    const healthy = await fetch(`${url}/health`).then(
      (response) => response.ok,
      () => false,
    );
    if (healthy) return true;
    await delay(25);
  }
  return false;
}
