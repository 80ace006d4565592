/**
 * Reads the fields of etcd's replies, any of which may be missing or wrong: all functions but `fieldOf` then
 * throw.
 */
import type { RegistryPosition } from '../../core/snapshot/watch-machine.js';
import { MalformedReplyError } from './etcd-error.js';

/** @throws MalformedReplyError, always */
export function malformed(what: string): never {
  throw new MalformedReplyError(`the reply makes no sense: ${what}`);
}

/** A field of a message; `undefined` if there is no such message. */
export function fieldOf(message: unknown, name: string): unknown {
  return typeof message === 'object' && message !== null ? Reflect.get(message, name) : undefined;
}

/** Reads a field that must be a list of messages. */
export function listField(message: unknown, name: string): readonly unknown[] {
  const value = fieldOf(message, name);
  return Array.isArray(value) ? value : malformed(`it has no ${name}`);
}

/** Reads a field that must be a boolean. */
export function booleanField(message: unknown, name: string): boolean {
  const value = fieldOf(message, name);
  return typeof value === 'boolean' ? value : malformed(`it has no ${name}`);
}

/** Reads a field that must be a text and not empty. Ids are texts, too. */
export function textField(message: unknown, name: string): string {
  const value = fieldOf(message, name);
  return typeof value === 'string' && value !== '' ? value : malformed(`it has no ${name}`);
}

/** Reads a field that must be bytes, of any number, also none. */
export function bytesField(message: unknown, name: string): Buffer {
  const value = fieldOf(message, name);
  return Buffer.isBuffer(value) ? value : malformed(`it has no ${name}`);
}

/** Reads a field that must be an integer of up to 64 bits, as a number or in decimal digits. */
export function integerField(message: unknown, name: string): bigint {
  const value = fieldOf(message, name);
  if (typeof value === 'number' && Number.isSafeInteger(value)) return BigInt(value);
  const isInteger = typeof value === 'string' && /^-?\d{1,20}$/.test(value);
  return isInteger ? BigInt(value) : malformed(`its ${name} is not an integer`);
}

/** The cluster and the revision of a reply, from its header. */
export function positionOf(reply: unknown): RegistryPosition {
  const header = fieldOf(reply, 'header');
  if (typeof header !== 'object' || header === null) malformed('it has no header');
  const revision = integerField(header, 'revision');
  // An empty etcd is at revision 1.
  if (revision < 1n) malformed(`its revision is ${revision}`);
  return { revision, clusterId: textField(header, 'cluster_id') };
}

/**
 * The key that operation `index` of a transaction has found; this operation must be a range. `undefined`: the
 * range found no key.
 */
export function readFound(reply: unknown, index: number): unknown {
  const response = listField(reply, 'responses')[index];
  return listField(fieldOf(response, 'response_range'), 'kvs')[0];
}
