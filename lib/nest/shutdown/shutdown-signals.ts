/**
 * Listens to the signals that end a process, once for all of its applications: with one listener per
 * application Node would warn of a leak from the eleventh on.
 */

/** Called with every signal. */
export type SignalListener = (signal: NodeJS.Signals) => void;

const SIGNALS = ['SIGTERM', 'SIGINT'] as const;

const listeners = new Set<SignalListener>();

/** Adds a listener, which stays until {@link unlistenToSignals}. */
export function listenToSignals(listener: SignalListener): void {
  listeners.add(listener);
  if (listeners.size > 1) return;
  allowListeners(1);
  for (const signal of SIGNALS) process.on(signal, pass);
}

/** Removes a listener; does nothing if it was not added. */
export function unlistenToSignals(listener: SignalListener): void {
  if (!listeners.delete(listener) || listeners.size > 0) return;
  for (const signal of SIGNALS) process.off(signal, pass);
  allowListeners(-1);
}

function pass(signal: NodeJS.Signals): void {
  for (const listener of listeners) listener(signal);
}

/** Raises the process's limit of listeners by those of this library, which are no leak. 0 means no limit. */
function allowListeners(more: number): void {
  const limit = process.getMaxListeners();
  if (limit !== 0) process.setMaxListeners(limit + more);
}
