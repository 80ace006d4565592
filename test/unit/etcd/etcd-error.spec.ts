import { describe, expect, it } from 'vitest';
import { DiscoveryError } from '../../../lib/core/discovery-error.js';
import { isUnavailable, toDiscoveryError } from '../../../lib/etcd/etcd-error.js';

/** An error of the class that etcd3 makes from a gRPC code, which is told by its name alone. */
function named(name: string, message = 'message'): Error {
  const NamedError = { [name]: class extends Error {} }[name]!;
  return new NamedError(message);
}

describe('an error of etcd', () => {
  it.each([
    'GRPCUnavailableError',
    'GRPCDeadlineExceededError',
    'GRPCCancelledError',
    'GRPCInternalError',
    'GRPCUnknownError',
    'Error',
  ])('%s is no answer: worth another member and another attempt', (name) => {
    const error = name === 'Error' ? new Error('message') : named(name);
    expect(isUnavailable(error)).toBe(true);
    expect(toDiscoveryError('list', error).code).toBe('REGISTRY_UNAVAILABLE');
  });

  it.each([
    'EtcdPermissionDeniedError',
    'EtcdAuthenticationFailedError',
    'GRPCResourceExhastedError',
    'TypeError',
  ])('%s is a refusal, which another member would repeat', (name) => {
    expect(isUnavailable(named(name))).toBe(false);
    expect(toDiscoveryError('list', named(name)).code).toBe('REGISTRY_REJECTED');
  });

  it('says what failed and why, and keeps its cause', () => {
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

  it('that is one of ours stays what it is, but for what was tried', () => {
    const rejected = new DiscoveryError('REGISTRY_REJECTED', 'no');
    expect(toDiscoveryError('list', rejected)).toBe(rejected);
    const closed = new DiscoveryError('CLOSED', 'closed');
    expect(toDiscoveryError('list', closed)).toBe(closed);
    expect(isUnavailable(closed)).toBe(false);
    const late = toDiscoveryError('list', new DiscoveryError('REGISTRY_UNAVAILABLE', 'no answer'));
    expect(late.message).toBe('[REGISTRY_UNAVAILABLE] etcd list failed: no answer');
  });

  it('that is no error at all is still told', () => {
    expect(toDiscoveryError('list', 'odd').message).toBe(
      '[REGISTRY_REJECTED] etcd list failed: odd',
    );
  });
});
