/** A second SIGTERM or SIGINT, while the application shuts down, ends all waiting. */
import { setMaxListeners } from 'node:events';
import { listenToSignals, unlistenToSignals } from './shutdown-signals.js';

/**
 * How soon after the beginning of a shutdown further signals count as the first one, in milliseconds: a
 * terminal sends SIGINT to a whole process group, and a package manager in that group passes it on again.
 */
const ECHO_MS = 100;

/** Ends the waiting of a shutdown early, at most once. */
export class ForceSignal {
  private readonly controller = new AbortController();
  /** How many parts of the shutdown are under way. */
  private parts = 0;
  private begunAt = -Infinity;

  /** @param onForce called at most once, with the signal that forced the shutdown */
  constructor(private readonly onForce: (signal: NodeJS.Signals) => void) {
    // Every server of the application adds a listener: without this, Node would warn of a leak.
    setMaxListeners(0, this.controller.signal);
  }

  /** Aborted when the shutdown is forced. */
  get signal(): AbortSignal {
    return this.controller.signal;
  }

  /** Marks the beginning of the shutdown: a signal at this moment is the one that began it, or its echo. */
  begin(): void {
    if (this.parts === 0) this.begunAt = performance.now();
  }

  /**
   * Listens to signals until this part of the shutdown is over. Parts may overlap, and may have gaps between
   * them.
   */
  async during<Result>(part: Promise<Result>): Promise<Result> {
    if (this.parts++ === 0) this.listen();
    try {
      return await part;
    } finally {
      if (--this.parts === 0) this.stop();
    }
  }

  /** Resolves when the work is done, or as soon as the shutdown is forced. */
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

  private readonly listener = (signal: NodeJS.Signals): void => {
    if (performance.now() - this.begunAt < ECHO_MS) return;
    this.stop();
    // If the process has no other listener for this signal, Node would have ended it with an error. The exit
    // code after the shutdown is therefore 1.
    if (process.listenerCount(signal) === 0) process.exitCode = 1;
    this.onForce(signal);
    this.controller.abort();
  };

  private listen(): void {
    // The shutdown is forced already: a further signal changes nothing.
    if (this.signal.aborted) return;
    listenToSignals(this.listener);
  }

  private stop(): void {
    unlistenToSignals(this.listener);
  }
}
