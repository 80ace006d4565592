/**
 * The signals that ask a process to end, listened to once for all of its applications: a listener for each would be taken for
 * a leak as soon as there are eleven.
 */

/** Gets every signal that comes. */
export type SignalListener = (signal: NodeJS.Signals) => void;

const SIGNALS = ['SIGTERM', 'SIGINT'] as const;

const listeners = new Set<SignalListener>();

/** Adds a listener, until {@link unlistenToSignals}. */
export function listenToSignals(listener: SignalListener): void {
  listeners.add(listener);
  if (listeners.size > 1) return;
  allowListeners(1);
  for (const signal of SIGNALS) process.on(signal, pass);
}

/** Removes a listener; one that is not there does not matter. */
export function unlistenToSignals(listener: SignalListener): void {
  if (!listeners.delete(listener) || listeners.size > 0) return;
  for (const signal of SIGNALS) process.off(signal, pass);
  allowListeners(-1);
}

function pass(signal: NodeJS.Signals): void {
  for (const listener of listeners) listener(signal);
}

/** Ours is not one of those that the limit is for. 0 stands for no limit. */
function allowListeners(more: number): void {
  const limit = process.getMaxListeners();
  if (limit !== 0) process.setMaxListeners(limit + more);
}
