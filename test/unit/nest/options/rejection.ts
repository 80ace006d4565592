/** What an error about a wrong option says. */
import { expect } from 'vitest';
import { DiscoveryError } from '../../../../lib/core/discovery-error.js';

/** The error that a call throws, which must be a {@link DiscoveryError}. */
export function rejection(act: () => unknown): DiscoveryError {
  try {
    act();
  } catch (error) {
    if (error instanceof DiscoveryError) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}

/**
 * Expects that a call throws `INVALID_OPTION`.
 *
 * @param option the option that the error names
 * @param shown the beginning of how the error shows the value
 * @param allowed a part of what is allowed
 */
export function expectRejected(
  act: () => unknown,
  option: string,
  shown: string,
  allowed: string,
): void {
  const { code, message } = rejection(act);
  expect(code).toBe('INVALID_OPTION');
  const end = message.lastIndexOf('; allowed: ');
  const [head, tail] = [message.slice(0, end), message.slice(end)];
  expect(head.startsWith(`[INVALID_OPTION] option ${option} is ${shown}`), message).toBe(true);
  expect(tail).toContain(allowed);
}
