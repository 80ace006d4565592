import { describe, expect, it } from 'vitest';
import { DiscoveryError } from '../../../../lib/core/discovery-error.js';
import {
  isAnothersTurn,
  isStaleToken,
  isUnavailable,
  toDiscoveryError,
} from '../../../../lib/etcd/connection/etcd-error.js';

/** An error of the class that etcd3 makes from a gRPC code; only its name shows the code. */
function named(name: string, message = 'message'): Error {
  const NamedError = { [name]: class extends Error {} }[name]!;
  return new NamedError(message);
}

/**
 * Errors as etcd3 throws them: those of unary calls have classes of etcd3, those of streams come from grpc-js
 * unchanged.
 */
const sources = [
  ['of a unary call', (text: string) => named('GRPCSomeError', text)],
  [
    'of a stream',
    (text: string) => Object.assign(new Error(text), { code: Number.parseInt(text) }),
  ],
] as const;

describe.each(sources)('an error of etcd, %s', (_, create) => {
  it.each([
    '1 CANCELLED: Call cancelled',
    '2 UNKNOWN: odd',
    '4 DEADLINE_EXCEEDED: Deadline exceeded',
    '10 ABORTED: aborted',
    '13 INTERNAL: Received RST_STREAM with code 2',
    '14 UNAVAILABLE: etcdserver: no leader',
    '15 DATA_LOSS: etcdserver: corrupt cluster',
    // A learner: from 3.6 on, and before.
    '9 FAILED_PRECONDITION: etcdserver: rpc not supported for learner',
    '14 UNAVAILABLE: etcdserver: rpc not supported for learner',
  ])('"%s" means that the member is unavailable, and another one is tried', (text) => {
    const error = create(text);
    expect(isUnavailable(error)).toBe(true);
    expect(isAnothersTurn(error)).toBe(true);
    expect(toDiscoveryError('list', error).code).toBe('REGISTRY_UNAVAILABLE');
  });

  it.each([
    '3 INVALID_ARGUMENT: etcdserver: authentication failed, invalid user ID or password',
    '7 PERMISSION_DENIED: etcdserver: permission denied',
    '8 RESOURCE_EXHAUSTED: etcdserver: mvcc: database space exceeded',
    '11 OUT_OF_RANGE: etcdserver: mvcc: required revision has been compacted',
    '16 UNAUTHENTICATED: etcdserver: invalid auth token',
  ])('"%s" is a refusal that every other member would repeat', (text) => {
    const error = create(text);
    expect(isUnavailable(error)).toBe(false);
    expect(isAnothersTurn(error)).toBe(false);
    expect(toDiscoveryError('list', error).code).toBe('REGISTRY_REJECTED');
  });

  it.each([
    '9 FAILED_PRECONDITION: etcdserver: not now',
    '12 UNIMPLEMENTED: The server does not implement the method',
    '13 INTERNAL: Response message parsing error: index out of range',
  ])('"%s" is a refusal by one member; another member may serve the request', (text) => {
    const error = create(text);
    expect(isUnavailable(error)).toBe(false);
    expect(isAnothersTurn(error)).toBe(true);
    expect(toDiscoveryError('list', error).code).toBe('REGISTRY_REJECTED');
  });

  it.each([
    '16 UNAUTHENTICATED: etcdserver: invalid auth token',
    '3 INVALID_ARGUMENT: etcdserver: revision of auth store is old',
    '3 INVALID_ARGUMENT: etcdserver: user name is empty',
  ])('"%s" makes the client ask for a new token', (text) => {
    expect(isStaleToken(create(text))).toBe(true);
  });
});

describe('toDiscoveryError and isUnavailable', () => {
  it('an error without a status, of a stream that ended, means unavailable', () => {
    expect(isUnavailable(new Error('the watch stream ended'))).toBe(true);
    expect(isUnavailable(named('TypeError'))).toBe(false);
  });

  it('a cancelled watch has the status that its reason names', () => {
    const reason = 'rpc error: code = PermissionDenied desc = etcdserver: permission denied';
    const error = new Error(`etcd cancelled the watch (${reason})`);
    expect(toDiscoveryError('watch', error).code).toBe('REGISTRY_REJECTED');
    const other = new Error('etcd cancelled the watch (rpc error: code = Unavailable desc = x)');
    expect(toDiscoveryError('watch', other).code).toBe('REGISTRY_UNAVAILABLE');
  });

  it('the error says what failed and why, and keeps its cause', () => {
    const cause = named(
      'GRPCUnavailableError',
      'GRPCUnavailableError: 14 UNAVAILABLE: no connection',
    );
    const error = toDiscoveryError('lease grant', cause);
    expect(error.message).toContain('[REGISTRY_UNAVAILABLE] etcd lease grant failed: ');
    expect(error.message).toContain('no connection');
    expect(error.message).not.toContain('GRPCUnavailableError');
    expect(error.cause).toBe(cause);
  });

  it('a DiscoveryError stays as it is, and a timeout gets the name of its request', () => {
    const rejected = new DiscoveryError('REGISTRY_REJECTED', 'no');
    expect(toDiscoveryError('list', rejected)).toBe(rejected);
    const closed = new DiscoveryError('CLOSED', 'closed');
    expect(toDiscoveryError('list', closed)).toBe(closed);
    expect(isUnavailable(closed)).toBe(false);
    const late = toDiscoveryError('list', new DiscoveryError('REGISTRY_UNAVAILABLE', 'no answer'));
    expect(late.message).toBe('[REGISTRY_UNAVAILABLE] etcd list failed: no answer');
  });

  it('a thrown value that is not an error becomes the text of an error', () => {
    expect(toDiscoveryError('list', 'odd').message).toBe(
      '[REGISTRY_REJECTED] etcd list failed: odd',
    );
  });
});
