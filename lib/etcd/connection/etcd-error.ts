/**
 * Classifies the errors of etcd3: etcd did not answer, etcd refused the request, or the reply makes no sense.
 */
import { DiscoveryError } from '../../core/discovery-error.js';

/** Thrown if etcd says that a lease does not exist. */
export class LeaseGoneError extends Error {
  override readonly name = 'LeaseGoneError';
}

/** Thrown if etcd3 repeats a request whose token etcd rejected: this library replaces the token itself. */
export class StaleTokenError extends Error {
  override readonly name = 'StaleTokenError';
}

/**
 * Thrown instead of sending a request while etcd is known to refuse the password. It is not an answer of
 * etcd.
 */
export class KnownRefusalError extends Error {
  override readonly name = 'KnownRefusalError';
}

/** Thrown if a reply lacks what etcd's API promises, or contradicts the request. */
export class MalformedReplyError extends Error {
  override readonly name = 'MalformedReplyError';
}

/** gRPC's status codes by number, as Go spells them in the reasons of cancelled watches. */
const CODES = [
  'OK Canceled Unknown InvalidArgument DeadlineExceeded NotFound AlreadyExists PermissionDenied ResourceExhausted',
  'FailedPrecondition Aborted OutOfRange Unimplemented Internal Unavailable DataLoss Unauthenticated',
].flatMap((names) => names.split(' '));

/** Codes of a member that did not answer, or could not serve: the request is retried on another member. */
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
 * The gRPC status code of an error, read from its message: etcd3 wraps errors of unary calls in its own
 * classes and leaves those of streams as they are, but keeps the message of both. `undefined` if the message
 * names no code.
 */
function codeOf(error: Error): string | undefined {
  const [, number] = /(?:^|Error: |Lease )(\d{1,2}) [A-Z_]+: /.exec(error.message) ?? [];
  if (number !== undefined) return CODES[Number(number)];
  return /rpc error: code = (\w+) desc = /.exec(error.message)?.[1];
}

/** Whether another member, or the same one later, may answer: this one did not answer, or is a learner. */
export function isUnavailable(error: unknown): boolean {
  if (error instanceof DiscoveryError) return error.code === 'REGISTRY_UNAVAILABLE';
  if (!(error instanceof Error) || isMalformed(error)) return false;
  // From 3.6 on a learner refuses requests that it may not serve; older learners answer `UNAVAILABLE`.
  if (error.message.includes('rpc not supported for learner')) return true;
  const code = codeOf(error);
  if (code !== undefined) return UNAVAILABLE.has(code);
  return PLAIN.has(error.constructor.name);
}

/**
 * Errors without a status code that also mean "unavailable": a stream that ended, a channel that was closed.
 */
const PLAIN = new Set(['Error', 'EtcdWatchStreamEnded', 'GRPCGenericError']);

/** Whether the reply makes no sense, or cannot be parsed. */
function isMalformed(error: unknown): boolean {
  if (error instanceof MalformedReplyError) return true;
  return error instanceof Error && error.message.includes('Response message parsing error');
}

/** Whether the server that answered is not etcd: it does not know etcd's API. */
export function isForeignServer(error: unknown): boolean {
  return error instanceof Error && codeOf(error) === 'Unimplemented';
}

/**
 * Whether only this member failed, so that another one may serve the request. Otherwise every member would
 * refuse it for the same reason.
 */
export function isAnothersTurn(error: unknown): boolean {
  if (isUnavailable(error) || isMalformed(error) || isForeignServer(error)) return true;
  return error instanceof Error && codeOf(error) === 'FailedPrecondition';
}

/** Whether etcd says that a lease does not exist. */
export function isLeaseGone(error: unknown): boolean {
  if (error instanceof LeaseGoneError) return true;
  return error instanceof Error && error.message.includes('requested lease not found');
}

/**
 * Whether etcd rejects the token and a new one may help: the token expired, etcd forgot it, users or roles
 * changed after etcd issued it (JWT), or the request had none because authentication was off.
 */
export function isStaleToken(error: unknown): boolean {
  if (error instanceof StaleTokenError) return true;
  return error instanceof Error && STALE_TOKEN.test(error.message);
}

const STALE_TOKEN =
  /etcdserver: (invalid auth token|revision of auth store is old|user name is empty)/;

/** Whether etcd issues no tokens because its authentication is switched off. */
export function isAuthOff(error: unknown): boolean {
  return error instanceof Error && error.message.includes('authentication is not enabled');
}

/**
 * Converts an error to a `DiscoveryError`. One that is a `DiscoveryError` already is returned unchanged,
 * unless it is a timeout that does not name its request. etcd's messages name users and keys, never passwords
 * or tokens.
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

/** Whether an error is a timeout that does not name its request yet. */
function isBareTimeout(error: DiscoveryError): boolean {
  return error.code === 'REGISTRY_UNAVAILABLE' && !error.detail.startsWith('etcd ');
}
