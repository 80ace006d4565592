/** What the many errors of etcd3 mean to this library: no answer, an answer that refuses, or one that makes no sense. */
import { DiscoveryError } from '../../core/discovery-error.js';

/** Thrown where etcd says that a lease does not exist, any more or at all. */
export class LeaseGoneError extends Error {
  override readonly name = 'LeaseGoneError';
}

/** Thrown where etcd3 sends a request again that etcd has refused for its token: this library gets the new one. */
export class StaleTokenError extends Error {
  override readonly name = 'StaleTokenError';
}

/** Thrown where a request is not sent, because etcd has refused the password before: no answer to this request. */
export class KnownRefusalError extends Error {
  override readonly name = 'KnownRefusalError';
}

/** Thrown where a reply lacks what etcd's API promises, or contradicts the request. */
export class MalformedReplyError extends Error {
  override readonly name = 'MalformedReplyError';
}

/** gRPC's status codes by number, as Go spells them in the reasons of cancelled watches. */
const CODES = [
  'OK Canceled Unknown InvalidArgument DeadlineExceeded NotFound AlreadyExists PermissionDenied ResourceExhausted',
  'FailedPrecondition Aborted OutOfRange Unimplemented Internal Unavailable DataLoss Unauthenticated',
].flatMap((names) => names.split(' '));

/** Codes that say "etcd did not answer, or not in a state to": worth another member and another attempt. */
const UNAVAILABLE = new Set([
  'Canceled',
  'Unknown',
  'DeadlineExceeded',
  'Aborted',
  'Internal',
  'Unavailable',
  'DataLoss',
]);

/**
 * The gRPC status code of an error, by its message: etcd3 gives the errors of unary calls classes of its own and those of streams
 * none, and keeps the message of either. `undefined` where the message names no code.
 */
function codeOf(error: Error): string | undefined {
  const [, number] = /(?:^|Error: |Lease )(\d{1,2}) [A-Z_]+: /.exec(error.message) ?? [];
  if (number !== undefined) return CODES[Number(number)];
  return /rpc error: code = (\w+) desc = /.exec(error.message)?.[1];
}

/** Whether another member, or the same one later, may well answer: no member did, or one that does not take part yet. */
export function isUnavailable(error: unknown): boolean {
  if (error instanceof DiscoveryError) return error.code === 'REGISTRY_UNAVAILABLE';
  if (!(error instanceof Error) || isMalformed(error)) return false;
  // From 3.6 on a learner refuses what it may not answer, before that it calls itself unavailable.
  if (error.message.includes('rpc not supported for learner')) return true;
  const code = codeOf(error);
  if (code !== undefined) return UNAVAILABLE.has(code);
  return PLAIN.has(error.constructor.name);
}

/** Errors without a status code that mean the same: a stream that ended, a channel that was closed. */
const PLAIN = new Set(['Error', 'EtcdWatchStreamEnded', 'GRPCGenericError']);

/** Whether the reply made no sense, or could not even be read. */
export function isMalformed(error: unknown): boolean {
  if (error instanceof MalformedReplyError) return true;
  return error instanceof Error && error.message.includes('Response message parsing error');
}

/** Whether what answered does not know etcd's API at all. */
export function isForeignServer(error: unknown): boolean {
  return error instanceof Error && codeOf(error) === 'Unimplemented';
}

/** Whether this is the fault of one member, or of its state: another one may serve. Else all would refuse for the same reason. */
export function isAnothersTurn(error: unknown): boolean {
  if (isUnavailable(error) || isMalformed(error) || isForeignServer(error)) return true;
  return error instanceof Error && codeOf(error) === 'FailedPrecondition';
}

/** Whether etcd says of a lease that it does not exist. */
export function isLeaseGone(error: unknown): boolean {
  if (error instanceof LeaseGoneError) return true;
  return error instanceof Error && error.message.includes('requested lease not found');
}

/**
 * Whether etcd refuses the token for what it is, and a new one may help: it expired or was forgotten, users or roles have changed
 * since it was given (JWT), or none was sent because authentication was off.
 */
export function isStaleToken(error: unknown): boolean {
  if (error instanceof StaleTokenError) return true;
  return error instanceof Error && STALE_TOKEN.test(error.message);
}

const STALE_TOKEN =
  /etcdserver: (invalid auth token|revision of auth store is old|user name is empty)/;

/** Whether etcd gives no tokens because its authentication is switched off. */
export function isAuthOff(error: unknown): boolean {
  return error instanceof Error && error.message.includes('authentication is not enabled');
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
