/** The only error class of this library. */
import { printableText } from './printable-text.js';

/**
 * What went wrong, for programs. The meaning of a code never changes.
 *
 * | code | meaning |
 * |---|---|
 * | `INVALID_OPTION` | an option is wrong; nothing was dialled |
 * | `INVALID_TARGET` | a dial target names no service |
 * | `INVALID_RECORD` | a value in the registry is not an endpoint record |
 * | `REGISTRY_UNAVAILABLE` | the registry did not answer, in time or at all |
 * | `REGISTRY_REJECTED` | the registry refused (rights, password, quota, size), or its answer is nonsense |
 * | `CONFLICT` | another process holds our key |
 * | `NO_ENDPOINTS` | a service has no live endpoint |
 * | `UNSUPPORTED_VERSION` | a package that this library needs is loaded in a version that does not fit |
 * | `NOT_SERVING` | the application offers no service of that name, or none at all |
 * | `CLOSED` | the object was used after it was closed |
 */
export type DiscoveryErrorCode =
  | 'INVALID_OPTION'
  | 'INVALID_TARGET'
  | 'INVALID_RECORD'
  | 'REGISTRY_UNAVAILABLE'
  | 'REGISTRY_REJECTED'
  | 'CONFLICT'
  | 'NO_ENDPOINTS'
  | 'UNSUPPORTED_VERSION'
  | 'NOT_SERVING'
  | 'CLOSED';

/**
 * Every error that this library throws or reports. Its message reads `[CODE] what failed: value, bound, what
 * happens next`.
 */
export class DiscoveryError extends Error {
  override readonly name = 'DiscoveryError';
  /** What went wrong, for people, on one line: control characters are escaped. It never holds a secret. */
  readonly detail: string;

  /**
   * @param code what went wrong, for programs
   * @param detail what went wrong, for people; must not hold a secret. Control characters in it are escaped
   * @param options `cause`: the error that led to this one
   */
  constructor(
    readonly code: DiscoveryErrorCode,
    detail: string,
    options?: { readonly cause?: unknown },
  ) {
    // The detail quotes keys, values and messages from the registry, whose writers must not be able to forge
    // log lines.
    const printable = printableText(detail);
    super(`[${code}] ${printable}`, options);
    this.detail = printable;
  }
}
