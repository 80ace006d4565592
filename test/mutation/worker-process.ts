/** Starts the worker, gives it one request at a time, and kills it where it does not answer in time. */
import { type ChildProcess, fork } from 'node:child_process';
import type { WorkerAnswer, WorkerRequest } from './worker.js';

/** How long a worker may take to start, in milliseconds. Other work may keep the machine busy. */
const START_MS = 300_000;

/** One worker after another, over one copy of the tree. */
export class WorkerProcess {
  private child: ChildProcess | undefined;

  /** @param env what the worker's environment has besides this process's own */
  constructor(
    private readonly root: string,
    private readonly env: Readonly<Record<string, string>> = {},
  ) {}

  /**
   * Resolves with `undefined` where there was no answer in time: the worker is gone then, and the next
   * request starts another.
   */
  async ask(request: WorkerRequest, limitMs: number): Promise<WorkerAnswer | undefined> {
    this.child ??= await this.start();
    const { child } = this;
    const answer = nextMessage(child, limitMs);
    child.send(request);
    const message = await answer;
    if (message === undefined) this.stop();
    return message as WorkerAnswer | undefined;
  }

  stop(): void {
    this.child?.kill('SIGKILL');
    this.child = undefined;
  }

  private async start(): Promise<ChildProcess> {
    const env = { ...process.env, ...this.env, NO_COLOR: '1' };
    const child = fork(new URL('worker.js', import.meta.url), [this.root], {
      cwd: this.root,
      env,
      // What tests print is of no interest; what keeps the worker from starting is.
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    });
    this.child = child;
    if ((await nextMessage(child, START_MS)) === undefined) {
      this.stop();
      throw new Error(`vitest did not start within ${START_MS} ms on ${this.root}`);
    }
    return child;
  }
}

/** The next message, `undefined` where the process ends or the time does. */
function nextMessage(child: ChildProcess, limitMs: number): Promise<unknown> {
  return new Promise((resolve) => {
    const done = (message: unknown): void => {
      clearTimeout(timer);
      child.off('message', done).off('exit', onExit);
      resolve(message);
    };
    const onExit = (): void => done(undefined);
    const timer = setTimeout(() => done(undefined), limitMs);
    child.on('message', done).on('exit', onExit);
  });
}
