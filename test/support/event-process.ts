/**
 * A child process that prints one JSON event per line on its standard output, as our Node child apps and the
 * Go program of `test/interop` do. Tests wait for its events and its exit, never for a time. A test that
 * starts a process must stop it, by its process id. The child's standard input closes when the test process
 * ends, and then the child ends too.
 */
import { type ChildProcess, spawn } from 'node:child_process';

/** One line of output: `event` is its name, the other fields belong to that event. */
export interface ProcessEvent {
  readonly event: string;
  readonly [field: string]: unknown;
}

/** How a process ended: by itself with a code, or by a signal. */
export interface ProcessExit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface EventProcessOptions {
  /** The name of the process in error messages; by default the command. */
  readonly name?: string;
  /** The whole environment of the process; by default that of this process. */
  readonly env?: NodeJS.ProcessEnv;
  readonly cwd?: string;
}

/** The name of the wanted event, or a condition that it fulfils. */
export type EventMatch = string | ((event: ProcessEvent) => boolean);

export interface WaitOptions {
  /** The index in `events` from which the search begins. Default 0, which finds events of the past too. */
  readonly from?: number;
  /** After how many milliseconds the wait fails. */
  readonly timeoutMs?: number;
}

interface Waiter {
  readonly match: (event: ProcessEvent) => boolean;
  readonly resolve: (event: ProcessEvent) => void;
  readonly reject: (error: Error) => void;
}

/** The processes that still run, for {@link stopEventProcesses}. */
const running = new Set<EventProcess>();

/** Ends every process of this test file that still runs, in `afterEach` and `afterAll`. */
export async function stopEventProcesses(): Promise<void> {
  await Promise.all([...running].map((process) => process.stop()));
}

/** A child process that runs or has ended, and its events so far. */
export class EventProcess {
  /** Every event so far, in order. */
  readonly events: ProcessEvent[] = [];
  /** Resolves when the process has ended and all of its output was read. */
  readonly exit: Promise<ProcessExit>;

  private readonly child: ChildProcess;
  private readonly name: string;
  private readonly waiters = new Set<Waiter>();
  private out = '';
  private err = '';
  private parsed = 0;
  private ended: ProcessExit | undefined;

  constructor(command: string, args: readonly string[], options: EventProcessOptions = {}) {
    this.name = options.name ?? command;
    this.child = spawn(command, args, {
      stdio: ['pipe', 'pipe', 'pipe'],
      env: options.env,
      cwd: options.cwd,
    });
    running.add(this);
    // If the child ends first, writing to the pipe fails; `exit` says the same, so the error is ignored.
    this.child.stdin?.on('error', () => {});
    this.child.stdout?.setEncoding('utf8').on('data', (text: string) => this.read(text));
    this.child.stderr?.setEncoding('utf8').on('data', (text: string) => (this.err += text));
    this.exit = new Promise((resolve, reject) => {
      this.child.once('error', (error) => {
        running.delete(this);
        this.fail(error);
        reject(error);
      });
      this.child.once('close', (code, signal) => {
        running.delete(this);
        this.ended = { code, signal };
        this.fail(this.endedError());
        resolve(this.ended);
      });
    });
    // If a process cannot start, only a test that awaits `exit` fails.
    this.exit.catch(() => {});
  }

  get pid(): number {
    if (this.child.pid === undefined) throw new Error(`${this.name} did not start`);
    return this.child.pid;
  }

  /** Everything that the process printed on standard output so far, with the events. */
  get stdout(): string {
    return this.out;
  }

  get stderr(): string {
    return this.err;
  }

  /**
   * The first event that matches, of the past or to come.
   *
   * @throws if the process ends without such an event, or after `timeoutMs` (60 s). The error has the output
   *   of the process
   */
  async waitForEvent(match: EventMatch, options: WaitOptions = {}): Promise<ProcessEvent> {
    const { from = 0, timeoutMs = 60_000 } = options;
    const matches =
      typeof match === 'string' ? (event: ProcessEvent) => event.event === match : match;
    const known = this.events.slice(from).find(matches);
    if (known !== undefined) return known;
    if (this.ended !== undefined) throw this.endedError();
    let waiter: Waiter | undefined;
    let timer: NodeJS.Timeout | undefined;
    try {
      return await new Promise<ProcessEvent>((resolve, reject) => {
        waiter = { match: matches, resolve, reject };
        this.waiters.add(waiter);
        const wanted = typeof match === 'string' ? `event '${match}'` : 'the wanted event';
        timer = setTimeout(
          () =>
            reject(new Error(`${this.name}: no ${wanted} within ${timeoutMs} ms\n${this.text()}`)),
          timeoutMs,
        );
      });
    } finally {
      clearTimeout(timer);
      if (waiter !== undefined) this.waiters.delete(waiter);
    }
  }

  /** The first matching event after this call. */
  nextEvent(match: EventMatch, timeoutMs?: number): Promise<ProcessEvent> {
    return this.waitForEvent(match, {
      from: this.events.length,
      ...(timeoutMs === undefined ? {} : { timeoutMs }),
    });
  }

  /** Sends a signal to the process, SIGTERM by default. Await `exit` to wait for its end. */
  kill(signal: NodeJS.Signals = 'SIGTERM'): void {
    this.child.kill(signal);
  }

  /** Closes the standard input of the process, which also happens when the test process ends. */
  closeInput(): void {
    this.child.stdin?.end();
  }

  /** Ends the process by SIGTERM, and by SIGKILL if it still runs 5 s later. */
  async stop(): Promise<ProcessExit> {
    if (this.ended !== undefined) return this.ended;
    this.child.kill('SIGCONT');
    this.child.kill('SIGTERM');
    const force = setTimeout(() => this.child.kill('SIGKILL'), 5_000);
    try {
      return await this.exit;
    } finally {
      clearTimeout(force);
    }
  }

  private read(text: string): void {
    this.out += text;
    for (
      let end = this.out.indexOf('\n', this.parsed);
      end !== -1;
      end = this.out.indexOf('\n', this.parsed)
    ) {
      const event = parseEvent(this.out.slice(this.parsed, end));
      this.parsed = end + 1;
      if (event !== undefined) this.take(event);
    }
  }

  private take(event: ProcessEvent): void {
    this.events.push(event);
    for (const waiter of this.waiters) if (waiter.match(event)) waiter.resolve(event);
  }

  private fail(error: Error): void {
    for (const waiter of this.waiters) waiter.reject(error);
  }

  private endedError(): Error {
    const { code, signal } = this.ended ?? { code: null, signal: null };
    const how = signal === null ? `code ${code}` : `signal ${signal}`;
    return new Error(`${this.name} ended with ${how} before the wanted event\n${this.text()}`);
  }

  private text(): string {
    return `--- stdout\n${this.out}--- stderr\n${this.err}`;
  }
}

/** The event that a line has; `undefined` for other lines, such as a line of a log. */
function parseEvent(line: string): ProcessEvent | undefined {
  if (!line.startsWith('{')) return undefined;
  try {
    const value = JSON.parse(line) as { event?: unknown };
    return typeof value.event === 'string' ? (value as ProcessEvent) : undefined;
  } catch {
    return undefined;
  }
}
