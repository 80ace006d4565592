import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

const SAMPLES = join(import.meta.dirname, '../../02-user-login');
/** How long a process may take to end after SIGTERM, in milliseconds. */
const END_WITHIN_MS = 10_000;

/** One application of `sample/02-user-login` in its own process. */
export class SampleProcess {
  /** Resolves with a description of how the process ended, after all its output was read. */
  readonly ended: Promise<string>;
  private readonly child: ChildProcess;
  private readonly lines: string[] = [];
  private readonly listeners = new Set<(line: string) => void>();

  constructor(
    private readonly name: 'api' | 'client',
    environment: Readonly<Record<string, string>>,
    onLine: (line: string) => void,
  ) {
    this.listeners.add(onLine);
    this.child = spawn(process.execPath, [join(SAMPLES, name, 'dist/main.js')], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, NO_COLOR: '1', ...environment },
    });
    for (const stream of [this.child.stdout, this.child.stderr]) {
      if (stream !== null) createInterface(stream).on('line', (line) => this.take(line));
    }
    this.ended = new Promise((resolve) => {
      this.child.once('error', (error) => resolve(error.message));
      this.child.once('close', (code, signal) => {
        resolve(signal === null ? `exit code ${code}` : `signal ${signal}`);
      });
    });
  }

  get pid(): number | undefined {
    return this.child.pid;
  }

  /**
   * Waits for the next line that matches, and returns the first group of the match.
   *
   * @throws when the process ends before such a line
   */
  async printed(pattern: RegExp): Promise<string> {
    const found = new Promise<string>((resolve) => {
      const listener = (line: string): void => {
        const match = pattern.exec(line);
        if (match === null) return;
        this.listeners.delete(listener);
        resolve(match[1] ?? match[0]);
      };
      this.listeners.add(listener);
    });
    const failed = this.ended.then((how) => {
      throw new Error(`${this.name} ended with ${how}\n${this.lines.slice(-20).join('\n')}`);
    });
    // After the line has come, the end of the process must not cause an unhandled rejection.
    failed.catch(() => undefined);
    return Promise.race([found, failed]);
  }

  kill(signal: NodeJS.Signals): void {
    this.child.kill(signal);
  }

  /** Ends the process by SIGTERM, and by SIGKILL if it does not end in time. */
  async stop(): Promise<string> {
    this.child.kill('SIGTERM');
    const force = setTimeout(() => {
      console.log(`   ${this.name} ${this.pid} did not end by SIGTERM`);
      this.child.kill('SIGKILL');
    }, END_WITHIN_MS);
    const how = await this.ended;
    clearTimeout(force);
    return how;
  }

  private take(line: string): void {
    this.lines.push(line);
    for (const listener of this.listeners) listener(line);
  }
}
