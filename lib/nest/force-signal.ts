/** A SIGTERM or SIGINT while the application shuts down means: now. */

const SIGNALS = ['SIGTERM', 'SIGINT'] as const;
/**
 * Signals this soon after the beginning count as the first one, in milliseconds: a terminal sends SIGINT to a whole process
 * group, and a package manager in it passes it on again.
 */
const ECHO_MS = 100;

/** Cuts the waiting of a shutdown short, once and for all. */
export class ForceSignal {
  private readonly controller = new AbortController();
  private stopListening: (() => void) | undefined;

  /** @param onForce called at most once, with the signal that came */
  constructor(private readonly onForce: (signal: NodeJS.Signals) => void) {}

  /** Aborted once the waiting is over. */
  get signal(): AbortSignal {
    return this.controller.signal;
  }

  /** Listens from now on, the beginning of the shutdown; further calls change nothing. */
  listen(): void {
    if (this.stopListening !== undefined) return;
    const since = performance.now();
    const listener = (signal: NodeJS.Signals): void => {
      if (performance.now() - since < ECHO_MS) return;
      this.stop();
      // With no listener but this one the signal would have ended the process; it still does, after the shutdown.
      if (process.listenerCount(signal) === 0) process.exitCode = 1;
      this.onForce(signal);
      this.controller.abort();
    };
    for (const signal of SIGNALS) process.on(signal, listener);
    this.stopListening = () => {
      for (const signal of SIGNALS) process.off(signal, listener);
    };
  }

  /** The shutdown is over. */
  stop(): void {
    this.stopListening?.();
  }

  /** Resolves with the work, or as soon as there is nothing to wait for any more. */
  async unlessForced(work: Promise<void>): Promise<void> {
    const { signal } = this;
    if (signal.aborted) return;
    let onAbort: (() => void) | undefined;
    const forced = new Promise<void>((resolve) => {
      onAbort = () => resolve();
      signal.addEventListener('abort', onAbort, { once: true });
    });
    await Promise.race([work, forced]);
    if (onAbort !== undefined) signal.removeEventListener('abort', onAbort);
  }
}
