/**
 * Describes the value of a wrong option for errors: the value itself if the option is known and cannot hold a
 * secret, else only the kind of the value. A user may have put a password in the place of any other option,
 * so a list of the options with secrets is not enough.
 */
import { printableBeginning } from '../../core/printable-text.js';

/** Options whose values are never shown, not even their kind; misspelt names of such options match too. */
const SECRET =
  /pass|secret|token|cred|auth$|auth\.(?!username$)|tls\.(?!ca$|cert$)|etcd\.\w*key|privatekey/i;
/**
 * A client's name at the beginning of an option's name, as in `client "api".retry`. `SECRET` does not apply
 * to it: a client may be called "token".
 */
const CLIENT_NAME = /^client "[^]*?[^\\]"(?=\.|$)/;
/**
 * Options that say how to reach a registry: they may contain secrets, so only the kind of their values is
 * shown.
 */
const REGISTRY = /^(?:etcd|registry)(?:$|\.)/;
/** A user and password before a host, as in `http://user:password@host`; both may contain any characters. */
const USER_INFO = /^(\w+:\/\/)?[^]*@/;
const MAX_CHARACTERS = 80;

/** The value of a known option, for messages. */
export function describeValue(option: string, value: unknown): string {
  if (isSecret(option)) return 'a value that is not shown';
  if (REGISTRY.test(option)) return describeKind(value);
  if (typeof value !== 'string') return isScalar(value) ? String(value) : describeKind(value);
  const text = JSON.stringify(value.replace(USER_INFO, '$1…@'));
  return printableBeginning(text, MAX_CHARACTERS + 2);
}

/**
 * Describes the value of an option that does not exist. The user may have meant an option whose value is a
 * secret.
 */
export function describeUnknown(option: string, value: unknown): string {
  if (isSecret(option)) return 'a value that is not shown';
  return isScalar(value) && !REGISTRY.test(option) ? String(value) : describeKind(value);
}

/** How errors name a client that is made at run time: `client "api"`, or `client` if it has no name. */
export function clientPlace(definition: unknown): string {
  const name: unknown = Object(definition).name;
  return typeof name === 'string' && name !== ''
    ? `client ${describeValue('client.name', name)}`
    : 'client';
}

/** The kind of a value: `a string`, `an array of 2`, `an object with a, b`. */
function describeKind(value: unknown): string {
  if (value === null || value === undefined || typeof value === 'boolean') return String(value);
  if (value === '') return '""';
  if (value instanceof Uint8Array) return 'bytes';
  if (Array.isArray(value)) return value.length === 0 ? '[]' : `an array of ${value.length}`;
  if (typeof value !== 'object') return `a ${typeof value}`;
  const names = Object.keys(value);
  if (names.length === 0) return '{}';
  const shown = names.slice(0, 5).map((name) => printableBeginning(name, 40));
  return `an object with ${shown.join(', ')}${names.length > 5 ? ', …' : ''}`;
}

function isSecret(option: string): boolean {
  return SECRET.test(option.replace(CLIENT_NAME, 'client'));
}

function isScalar(value: unknown): boolean {
  return value === null || ['undefined', 'number', 'boolean', 'bigint'].includes(typeof value);
}
