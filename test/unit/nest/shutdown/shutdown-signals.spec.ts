import { afterEach, describe, expect, it } from 'vitest';
import {
  listenToSignals,
  type SignalListener,
  unlistenToSignals,
} from '../../../../lib/nest/shutdown/shutdown-signals.js';

const listeners: SignalListener[] = [];
afterEach(() => listeners.splice(0).forEach(unlistenToSignals));

function listen(listener: SignalListener): SignalListener {
  listeners.push(listener);
  listenToSignals(listener);
  return listener;
}

describe('listenToSignals', () => {
  it('passes a signal to every listener, but adds only one listener to the process', () => {
    const before = process.listenerCount('SIGINT');
    const heard: string[] = [];
    for (const name of ['a', 'b', 'c']) listen((signal) => heard.push(`${name} ${signal}`));
    expect(process.listenerCount('SIGINT')).toBe(before + 1);
    // Emits the signal to this listener only: a real signal would end the test process.
    process.listeners('SIGINT').at(-1)?.('SIGINT');
    expect(heard).toEqual(['a SIGINT', 'b SIGINT', 'c SIGINT']);
  });

  it("raises the process's limit of listeners by the listener that it adds", () => {
    const limit = process.getMaxListeners();
    const one = listen(() => {});
    expect(process.getMaxListeners()).toBe(limit + 1);
    unlistenToSignals(one);
    expect(process.getMaxListeners()).toBe(limit);
  });
});

it('a process without a limit of listeners stays without one', () => {
  const limit = process.getMaxListeners();
  process.setMaxListeners(0);
  const one = listen(() => {});
  expect(process.getMaxListeners()).toBe(0);
  unlistenToSignals(one);
  expect(process.getMaxListeners()).toBe(0);
  process.setMaxListeners(limit);
});

it('every signal that ends a process is listened to, and two listeners raise the limit once', () => {
  const signals = ['SIGTERM', 'SIGINT'] as const;
  const before = signals.map((signal) => process.listenerCount(signal));
  const limit = process.getMaxListeners();
  const all = [listen(() => {}), listen(() => {})];
  expect(signals.map((signal) => process.listenerCount(signal))).toEqual(
    before.map((count) => count + 1),
  );
  expect(process.getMaxListeners()).toBe(limit + 1);
  for (const listener of all) unlistenToSignals(listener);
  expect(signals.map((signal) => process.listenerCount(signal))).toEqual(before);
  expect(process.getMaxListeners()).toBe(limit);
});

describe('unlistenToSignals', () => {
  it('restores the process when the last listener is removed, and may be called again', () => {
    const before = process.listenerCount('SIGTERM');
    const [one, two] = [listen(() => {}), listen(() => {})];
    unlistenToSignals(one);
    unlistenToSignals(one);
    expect(process.listenerCount('SIGTERM')).toBe(before + 1);
    unlistenToSignals(two);
    expect(process.listenerCount('SIGTERM')).toBe(before);
  });
});
