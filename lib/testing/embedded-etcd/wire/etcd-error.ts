/** The refusals of etcd, with its codes and its words: clients match on both. */
import { status } from '@grpc/grpc-js';

/** Ends a request with the status code and the text that etcd refuses it with. */
export class EtcdError extends Error {
  override readonly name = 'EtcdError';

  /**
   * @param code the gRPC status code
   * @param details the text a client sees
   */
  constructor(
    readonly code: status,
    readonly details: string,
  ) {
    super(details);
  }
}

/** Every refusal of this server, by what is wrong. The texts are those of etcd's `rpctypes`. */
const refusals = {
  emptyKey: [status.INVALID_ARGUMENT, 'key is not provided'],
  keyNotFound: [status.INVALID_ARGUMENT, 'key not found'],
  valueProvided: [status.INVALID_ARGUMENT, 'value is provided'],
  leaseProvided: [status.INVALID_ARGUMENT, 'lease is provided'],
  tooManyOperations: [status.INVALID_ARGUMENT, 'too many operations in txn request'],
  duplicateKey: [status.INVALID_ARGUMENT, 'duplicate key given in txn request'],
  invalidSortOption: [status.INVALID_ARGUMENT, 'invalid sort option'],
  requestTooLarge: [status.INVALID_ARGUMENT, 'request is too large'],
  compacted: [status.OUT_OF_RANGE, 'mvcc: required revision has been compacted'],
  futureRevision: [status.OUT_OF_RANGE, 'mvcc: required revision is a future revision'],
  leaseNotFound: [status.NOT_FOUND, 'requested lease not found'],
  leaseExists: [status.FAILED_PRECONDITION, 'lease already exists'],
  leaseTtlTooLarge: [status.OUT_OF_RANGE, 'too large lease TTL'],
  noLeader: [status.UNAVAILABLE, 'no leader'],
  timeout: [status.UNAVAILABLE, 'request timed out'],
  /** The refusal of a write that waited too long for a leader; it is the only one without a prefix. */
  deadlineExceeded: [status.DEADLINE_EXCEEDED, 'context deadline exceeded'],
  userEmpty: [status.INVALID_ARGUMENT, 'user name is empty'],
  authFailed: [status.INVALID_ARGUMENT, 'authentication failed, invalid user ID or password'],
  authNotEnabled: [status.FAILED_PRECONDITION, 'authentication is not enabled'],
  invalidAuthToken: [status.UNAUTHENTICATED, 'invalid auth token'],
} as const satisfies Record<string, readonly [status, string]>;

/** The name of a refusal. */
export type Refusal = keyof typeof refusals;

/** Makes the refusal called `name`. */
export function refusal(name: Refusal): EtcdError {
  const [code, text] = refusals[name];
  return new EtcdError(code, text.startsWith('context') ? text : `etcdserver: ${text}`);
}
