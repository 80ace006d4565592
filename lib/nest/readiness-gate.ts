/** Asks at intervals whether the application is ready to serve, and reports when the answer changes. */
import type { CancelTimer, Clock } from '../core/clock.js';

/**
 * A function that says whether the application can serve. Not ready means: it returns `false`, returns an
 * object whose `status` is not `ok` (the form of Terminus's `HealthCheckService.check`), throws, or rejects.
 * Everything else means ready.
 */
export type ReadinessCheck = () => unknown;

/** The readiness check of the application, and how often it runs. */
export interface ReadinessOptions {
  readonly check: ReadinessCheck;
  /** Time between an answer and the next check, in milliseconds, 10–3,600,000. Default 1,000. */
  readonly intervalMs?: number;
  /** A check that takes longer counts as "not ready", in milliseconds, 10–3,600,000. Default 5,000. */
  readonly timeoutMs?: number;
}

const DEFAULT_INTERVAL_MS = 1_000;
const DEFAULT_TIMEOUT_MS = 5_000;

/** Runs one readiness check again and again. The gate is closed until the first check has passed. */
export class ReadinessGate {
  private ready = false;
  private why = 'it was not asked yet';
  private stopped = false;
  private first: Promise<void> | undefined;
  private cancelTimer: CancelTimer | undefined;

  /** @param onChange called for each change; `reason` says why the application is not ready */
  constructor(
    private readonly options: ReadinessOptions,
    private readonly clock: Clock,
    private readonly onChange: (ready: boolean, reason: string) => void,
  ) {}

  get isReady(): boolean {
    return this.ready;
  }

  /** Why the application is not ready, from the last check that failed. */
  get reason(): string {
    return this.why;
  }

  /** Starts the checks. Resolves after the first one; further calls return the same promise. */
  start(): Promise<void> {
    this.first ??= this.check();
    return this.first;
  }

  stop(): void {
    this.stopped = true;
    this.cancelTimer?.();
  }

  private async check(): Promise<void> {
    const [ready, reason] = await this.ask();
    if (this.stopped) return;
    if (!ready) this.why = reason;
    const { intervalMs = DEFAULT_INTERVAL_MS } = this.options;
    this.cancelTimer = this.clock.setTimer(intervalMs, () => void this.check());
    if (ready === this.ready) return;
    this.ready = ready;
    this.onChange(ready, reason);
  }

  private async ask(): Promise<[ready: boolean, reason: string]> {
    const { check, timeoutMs = DEFAULT_TIMEOUT_MS } = this.options;
    let cancel: CancelTimer | undefined;
    const late = new Promise<never>((_resolve, reject) => {
      cancel = this.clock.setTimer(timeoutMs, () =>
        reject(new Error(`the check took longer than ${timeoutMs} ms`)),
      );
    });
    try {
      const answer = await Promise.race([Promise.resolve().then(check), late]);
      return isReadyAnswer(answer) ? [true, ''] : [false, 'the check says so'];
    } catch (error) {
      return [false, error instanceof Error ? error.message : String(error)];
    } finally {
      cancel?.();
    }
  }
}

function isReadyAnswer(answer: unknown): boolean {
  if (answer === false) return false;
  if (typeof answer !== 'object' || answer === null || !('status' in answer)) return true;
  return answer.status === 'ok';
}
