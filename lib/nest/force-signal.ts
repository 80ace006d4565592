/** A second SIGTERM or SIGINT while the application shuts down means: now. */

const SIGNALS = ['SIGTERM', 'SIGINT'] as const;
/**
 * Signals this soon after the beginning count as the first one, in milliseconds: a terminal sends SIGINT to a whole process
 * group, and a package manager in it passes it on again.
 */
const ECHO_MS = 100;

/**
 * Listens for a signal until the shutdown is over.
 *
 * @param onForce called at most once
 * @returns stops listening
 */
export function onSecondSignal(onForce: (signal: NodeJS.Signals) => void): () => void {
  const since = performance.now();
  const listener = (signal: NodeJS.Signals): void => {
    if (performance.now() - since < ECHO_MS) return;
    stop();
    // With no listener but this one the signal would have ended the process; it still does, after the shutdown.
    if (process.listenerCount(signal) === 0) process.exitCode = 1;
    onForce(signal);
  };
  const stop = (): void => {
    for (const signal of SIGNALS) process.off(signal, listener);
  };
  for (const signal of SIGNALS) process.on(signal, listener);
  return stop;
}
