/** What etcd3's many errors mean to this library: no answer, or an answer that refuses. */
import { DiscoveryError } from '../core/discovery-error.js';

/** Thrown where etcd says that a lease does not exist, any more or at all. */
export class LeaseGoneError extends Error {
  override readonly name = 'LeaseGoneError';
}

/** Thrown where etcd refuses every token it has just given. */
export class StaleTokenError extends Error {
  override readonly name = 'StaleTokenError';
}

/**
 * Whether etcd refuses the token for what it is, and a new one may help: tokens of the JWT kind are refused after every change of
 * users or roles, and the package gets a new one for other refusals only.
 */
export function isStaleToken(error: unknown): boolean {
  if (error instanceof StaleTokenError) return true;
  return error instanceof Error && error.message.includes('revision of auth store is old');
}

/**
 * Errors that say "etcd did not answer, or not in a state to": worth another member and another attempt. By name, since
 * the package makes its error classes from gRPC codes.
 */
const UNAVAILABLE = new Set([
  'GRPCUnavailableError',
  'GRPCDeadlineExceededError',
  'GRPCCancelledError',
  'GRPCInternalError',
  'GRPCUnknownError',
  'GRPCAbortedError',
  'GRPCDataLossError',
  'GRPCGenericError',
  'EtcdWatchStreamEnded',
  'Error',
]);

/** Whether another member, or the same one later, may well answer. */
export function isUnavailable(error: unknown): boolean {
  if (error instanceof DiscoveryError) return error.code === 'REGISTRY_UNAVAILABLE';
  return error instanceof Error && UNAVAILABLE.has(error.constructor.name);
}

/**
 * The error as users of this library see it; one that is so already is returned as it is. etcd's messages name users and
 * keys, never passwords or tokens.
 */
export function toDiscoveryError(what: string, error: unknown): DiscoveryError {
  if (error instanceof DiscoveryError && !isBareTimeout(error)) return error;
  const code = isUnavailable(error) ? 'REGISTRY_UNAVAILABLE' : 'REGISTRY_REJECTED';
  const message =
    error instanceof DiscoveryError
      ? error.detail
      : error instanceof Error
        ? error.message.replace(/^\w*Error: /, '')
        : String(error);
  return new DiscoveryError(code, `etcd ${what} failed: ${message}`, { cause: error });
}

/** A timeout that does not say yet what it was that took too long. */
function isBareTimeout(error: DiscoveryError): boolean {
  return error.code === 'REGISTRY_UNAVAILABLE' && !error.detail.startsWith('etcd ');
}
