/**
 * Real etcd servers for tests and benches: finds the binaries of this machine, starts a server in a temporary
 * folder on free loopback ports, and can kill, stop, continue, restart and wipe it. A test that starts a
 * server must stop it.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { freePort } from './free-port.js';
import { projectRoot } from './project-root.js';

/** An etcd server binary that was found on this machine. */
export interface EtcdBinary {
  readonly path: string;
  /** The version as `etcd --version` prints it, e.g. `3.4.23`. */
  readonly version: string;
  /** Where the binary was found. */
  readonly origin: 'PATH' | '.cache';
}

export interface EtcdProcessOptions {
  /** The binary to start; by default the first that `findEtcdBinaries` finds. */
  readonly binary?: EtcdBinary;
  /** The client port; a free port by default. */
  readonly port?: number;
  /** The peer port; a free port by default. A cluster has to know it before the start. */
  readonly peerPort?: number;
  /** Further command line flags of etcd. */
  readonly flags?: readonly string[];
  /** The scheme of the client URL, `http` by default; `https` needs the flags of a certificate too. */
  readonly scheme?: 'http' | 'https';
  readonly name?: string;
}

const cachedBinary = join(projectRoot(import.meta.url), '.cache/etcd/etcd');

/**
 * Every etcd server of this machine: the one on the PATH, and the 3.6 that `.ci/run` builds with Go. With
 * `WITHOUT_ETCD=1` in the environment there is none, as on a machine that has only Node; with `ETCD_VERSION`
 * those whose version begins with it, e.g. `3.6`.
 */
export function findEtcdBinaries(): EtcdBinary[] {
  if (process.env['WITHOUT_ETCD'] === '1') return [];
  const folders = (process.env['PATH'] ?? '').split(delimiter).filter((folder) => folder !== '');
  const candidates = [
    ...folders.map((folder) => ({ path: join(folder, 'etcd'), origin: 'PATH' as const })),
    { path: cachedBinary, origin: '.cache' as const },
  ];
  const found: EtcdBinary[] = [];
  for (const { path, origin } of candidates) {
    if (!existsSync(path)) continue;
    const output = execFileSync(path, ['--version'], { encoding: 'utf8' });
    const version = /etcd Version: (\S+)/.exec(output)?.[1] ?? 'unknown';
    if (!version.startsWith(process.env['ETCD_VERSION'] ?? '')) continue;
    if (!found.some((known) => known.version === version)) {
      found.push({ path, version, origin });
    }
  }
  return found;
}

/** One etcd member as a child process. */
export class EtcdProcess {
  private child: ChildProcess | undefined;
  private output = '';
  private stopped = false;

  private constructor(
    readonly binary: EtcdBinary,
    readonly port: number,
    private readonly peerPort: number,
    private readonly metricsPort: number,
    private readonly folder: string,
    private readonly options: EtcdProcessOptions,
  ) {}

  static async start(options: EtcdProcessOptions = {}): Promise<EtcdProcess> {
    const binary = options.binary ?? findEtcdBinaries()[0];
    if (binary === undefined) throw new Error('no etcd binary on the PATH or in .cache/etcd');
    for (let attempt = 1; ; attempt += 1) {
      const process = new EtcdProcess(
        binary,
        options.port ?? (await freePort()),
        options.peerPort ?? (await freePort()),
        await freePort(),
        mkdtempSync(join(tmpdir(), 'etcd-test-')),
        options,
      );
      try {
        await process.launch();
        return process;
      } catch (error) {
        await process.stop();
        // Another process may have taken a port that was free a moment ago.
        if (attempt === 5 || !process.log.includes('address already in use')) throw error;
      }
    }
  }

  /** The value of the option `etcd: { hosts }`. */
  get hosts(): string[] {
    return [`${this.options.scheme ?? 'http'}://127.0.0.1:${this.port}`];
  }

  /** The URL at which other members reach this member. */
  get peerUrl(): string {
    return `http://127.0.0.1:${this.peerPort}`;
  }

  private get metricsUrl(): string {
    return `http://127.0.0.1:${this.metricsPort}`;
  }

  get pid(): number | undefined {
    return this.child?.pid;
  }

  /** The log of the process since its last start. */
  get log(): string {
    return this.output;
  }

  /** Starts the process again on the same port and data, after `kill`, or for the first time. */
  async launch(): Promise<void> {
    // The code of a test that timed out still runs after the test's clean-up: it must not start a server
    // again.
    if (this.stopped) throw new Error('this etcd was stopped for good');
    const url = this.hosts[0] ?? '';
    const peer = this.peerUrl;
    const name = this.options.name ?? 'default';
    const flags = {
      name,
      'data-dir': join(this.folder, 'data'),
      'log-level': 'warn',
      'listen-client-urls': url,
      'advertise-client-urls': url,
      'listen-peer-urls': peer,
      'initial-advertise-peer-urls': peer,
      'initial-cluster': `${name}=${peer}`,
      // The health check uses plain http, whatever scheme the clients use.
      'listen-metrics-urls': this.metricsUrl,
    };
    const args = Object.entries(flags).map(([flag, value]) => `--${flag}=${value}`);
    const child = spawn(this.binary.path, [...args, ...(this.options.flags ?? [])], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.child = child;
    this.output = '';
    child.stdout?.on('data', (chunk: Buffer) => (this.output += chunk.toString()));
    child.stderr?.on('data', (chunk: Buffer) => (this.output += chunk.toString()));
    await this.ready(child);
  }

  /** Ends the process as a crash would. */
  async kill(): Promise<void> {
    await this.end('SIGKILL');
  }

  /** Freezes the process: its sockets accept connections and never answer. */
  pause(): void {
    this.child?.kill('SIGSTOP');
  }

  resume(): void {
    this.child?.kill('SIGCONT');
  }

  /** Deletes the data: the next `launch` starts from revision 1. The process must not run meanwhile. */
  wipe(): void {
    rmSync(join(this.folder, 'data'), { recursive: true, force: true });
  }

  /** Ends the process for good and removes its folder. */
  async stop(): Promise<void> {
    this.stopped = true;
    await this.end('SIGKILL');
    rmSync(this.folder, { recursive: true, force: true });
  }

  private async end(signal: NodeJS.Signals): Promise<void> {
    const child = this.child;
    this.child = undefined;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const exited = new Promise((resolve) => child.once('exit', resolve));
    child.kill(signal);
    await exited;
  }

  private async ready(child: ChildProcess): Promise<void> {
    const deadline = Date.now() + 20_000;
    while (Date.now() < deadline) {
      if (child.exitCode !== null) throw new Error(`etcd ended at start:\n${this.output}`);
      if (await this.answers()) return;
      await delay(20);
    }
    throw new Error(`etcd was not ready within 20 s:\n${this.output}`);
  }

  private async answers(): Promise<boolean> {
    try {
      const response = await fetch(`${this.metricsUrl}/health`, {
        signal: AbortSignal.timeout(1_000),
      });
      return ((await response.json()) as { health?: string }).health === 'true';
    } catch {
      return false;
    }
  }
}
