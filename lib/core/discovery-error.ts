/** The one error class of this library. */
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
 * | `REGISTRY_REJECTED` | the registry answered and refused: permission, authentication, quota, size; or its answer makes no sense |
 * | `CONFLICT` | another process holds our key |
 * | `NO_ENDPOINTS` | a service has no live endpoint |
 * | `UNSUPPORTED_VERSION` | a package this library builds on is loaded in a version it does not work with |
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

/** Every error this library throws or reports. Its message reads `[CODE] what failed: value, bound, what happens next`. */
export class DiscoveryError extends Error {
  override readonly name = 'DiscoveryError';
  /** What went wrong, for people, on one line: control characters are escaped. Never holds a secret. */
  readonly detail: string;

  /**
   * @param code what went wrong, for programs
   * @param detail what went wrong, for people; never holds a secret. Control characters in it are escaped
   * @param options `cause`: the error underneath
   */
  constructor(
    readonly code: DiscoveryErrorCode,
    detail: string,
    options?: { readonly cause?: unknown },
  ) {
    // The detail quotes keys, values and messages of the registry: their writers must not be able to forge log lines.
    const printable = printableText(detail);
    super(`[${code}] ${printable}`, options);
    this.detail = printable;
  }
}
