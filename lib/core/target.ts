/**
 * Dial targets such as `etcd:///api`, in all forms that Go's etcd resolver accepts, and their gRPC authority.
 */
import { DiscoveryError } from './discovery-error.js';

/**
 * A dial target, split as a gRPC channel splits it. Its scheme may be in lower or upper case, or capitalised.
 */
interface TargetUri {
  readonly scheme?: string;
  /** The part between `//` and the next `/`; `undefined` if the target has no `//`. Ignored, as in Go. */
  readonly authority?: string;
  readonly path: string;
}

/**
 * The service that a target names: its path without query and fragment, percent-decoded, without one leading
 * slash. `etcd:///api`, `etcd:/api`, `etcd:api` and `etcd://any/api?x#f` all name `api`; `etcd:////api` names
 * `/api`.
 *
 * @throws DiscoveryError `INVALID_TARGET` for an empty service or a malformed percent escape
 */
export function parseTarget(target: TargetUri): string {
  const whole = `${target.scheme ?? ''}:${target.authority === undefined ? '' : `//${target.authority}/`}${target.path}`;
  const path = target.path.replace(/[?#].*$/s, '');
  // A channel that splits off an authority also removes the slash after it. It does not split off an
  // authority that has no path (`etcd://api`, `etcd:///`): then the path still begins with two slashes.
  const encoded = target.authority === undefined ? path.replace(/^\/\/.*$|^\//s, '') : path;
  let service: string;
  try {
    service = decodeURIComponent(encoded);
  } catch (cause) {
    throw new DiscoveryError(
      'INVALID_TARGET',
      `target "${whole}" has a malformed percent escape; allowed: scheme:///service`,
      { cause },
    );
  }
  if (service === '') {
    throw new DiscoveryError(
      'INVALID_TARGET',
      `target "${whole}" names no service; allowed: scheme:///service`,
    );
  }
  return service;
}

/** The target that `parseTarget` reads as a service: `formatTarget('etcd', 'a b/c')` is `etcd:///a%20b/c`. */
export function formatTarget(scheme: string, service: string): string {
  return `${scheme}:///${service.split('/').map(encodeURIComponent).join('/')}`;
}

/**
 * The host name of a service: the `:authority` of its calls and, with TLS, the name to verify. Characters
 * that are not allowed in a host name become `-`. If a URL parser would read the last label as a number, the
 * dots become `-` too. `xn--`, which a parser would decode, becomes `xn-`.
 */
export function serviceAuthority(service: string): string {
  const labels = service
    .split('.')
    .map((label) => label.replace(/[^A-Za-z0-9-]+/g, '-').replace(/^-+|-+$/g, ''))
    .map((label) => label.replace(/^(xn)-+/i, '$1-'))
    .filter((label) => label !== '');
  if (labels.length === 0) return 'service';
  const last = labels.at(-1) ?? '';
  // WHATWG URL: a host whose last label is a number is an IPv4 address, or an error.
  if (/^(\d+|0x[0-9a-f]*)$/i.test(last)) return labels.join('-').replace(/^(\d|0x)/i, 'service-$1');
  return labels.join('.');
}
