/**
 * JSON text as Go's `encoding/json` writes it, byte for byte where Go's releases agree among themselves (Go
 * 1.22 and later; <https://pkg.go.dev/encoding/json#Marshal>). Differs from `JSON.stringify` in HTML
 * escaping, key order and -0.
 */
import { DiscoveryError } from '../discovery-error.js';
import type { JsonValue } from './endpoint.js';

const HTML_AND_LINE_SEPARATORS = /[<>&\u2028\u2029]/g;

/** How many levels of nesting Go's decoder reads (`maxNestingDepth`), the outermost included. */
export const MAX_JSON_NESTING = 10_000;

/**
 * Encodes a value the way Go encodes the same value held in an `interface{}`: object keys sorted by their
 * UTF-8 bytes, `<`, `>`, `&`, U+2028 and U+2029 escaped, lone surrogates replaced by U+FFFD, `bigint` as an
 * integer.
 *
 * @throws DiscoveryError `INVALID_RECORD` for NaN, infinities, anything that is not JSON (functions, symbols,
 *   dates, maps, ...), and values that Go could not read in a record because they are nested too deeply or
 *   contain themselves
 */
export function encodeGoJson(value: JsonValue): string {
  // The stack is explicit, because the allowed nesting is deeper than the call stack. A string on it is
  // finished text.
  const pending: (Nested | string)[] = [{ value, depth: 1 }];
  let text = '';
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    if (typeof next === 'string') {
      text += next;
    } else if (next.value === null || typeof next.value !== 'object') {
      text += encodeScalar(next.value);
    } else {
      for (const part of containerParts(next.value, next.depth).toReversed()) pending.push(part);
    }
  }
  return text;
}

interface Nested {
  readonly value: JsonValue;
  /** The nesting level of the value, if it is a container; 1 for the outermost one. */
  readonly depth: number;
}

function containerParts(
  value: Extract<JsonValue, object>,
  depth: number,
): readonly (Nested | string)[] {
  // The record around the metadata is one more level.
  if (depth >= MAX_JSON_NESTING) {
    throw new DiscoveryError(
      'INVALID_RECORD',
      `metadata is nested deeper than ${MAX_JSON_NESTING - 1} levels, or holds itself`,
    );
  }
  if (isArray(value)) {
    const items = value.flatMap((inner) => [',', { value: inner, depth: depth + 1 }]);
    return ['[', ...items.slice(1), ']'];
  }
  requirePlain(value);
  const members = Object.keys(value)
    .toSorted(compareCodePoints)
    .flatMap((key) => [`,${encodeString(key)}:`, { value: value[key] ?? null, depth: depth + 1 }]);
  const [first, ...others] = members;
  return typeof first === 'string' ? [`{${first.slice(1)}`, ...others, '}'] : ['{}'];
}

/** Refuses dates, maps and other classes: JSON has only their fields, so they would be written as `{}`. */
function requirePlain(value: object): void {
  const prototype: unknown = Object.getPrototypeOf(value);
  // The prototype is not compared with `Object.prototype`: test runners give each file an `Object` of its
  // own.
  if (prototype === null || Object.getPrototypeOf(prototype) === null) return;
  const { constructor } = value as { readonly constructor?: unknown };
  const name = typeof constructor === 'function' ? constructor.name : '';
  throw notJson(name === '' ? 'an object of a class' : `a ${name}`);
}

function notJson(what: string): DiscoveryError {
  return new DiscoveryError(
    'INVALID_RECORD',
    `metadata holds ${what}, which has no JSON form; allowed: null, boolean, number, bigint, string, array, plain object`,
  );
}

function encodeScalar(value: Exclude<JsonValue, object>): string {
  switch (typeof value) {
    case 'string':
      return encodeString(value);
    case 'number':
      return encodeNumber(value);
    case 'bigint':
    case 'boolean':
      return String(value);
    default:
      if (value === null) return 'null';
      throw notJson(`a ${typeof value}`);
  }
}

function encodeString(value: string): string {
  return JSON.stringify(value.toWellFormed()).replace(
    HTML_AND_LINE_SEPARATORS,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

function encodeNumber(value: number): string {
  if (!Number.isFinite(value)) {
    throw new DiscoveryError(
      'INVALID_RECORD',
      `metadata holds the number ${value}, which has no JSON form; allowed: finite numbers`,
    );
  }
  return Object.is(value, -0) ? '-0' : String(value);
}

/** Orders strings by their UTF-8 bytes, so by code point; JavaScript itself compares UTF-16 units. */
function compareCodePoints(left: string, right: string): number {
  const length = Math.min(left.length, right.length);
  for (let index = 0; index < length; index++) {
    const a = left.charCodeAt(index);
    const b = right.charCodeAt(index);
    if (a === b) continue;
    // A surrogate is part of a code point above U+FFFF, so it sorts after every other unit.
    const aIsSurrogate = a >= 0xd800 && a <= 0xdfff;
    const bIsSurrogate = b >= 0xd800 && b <= 0xdfff;
    return aIsSurrogate === bIsSurrogate ? a - b : aIsSurrogate ? 1 : -1;
  }
  return left.length - right.length;
}

// `Array.isArray` does not narrow the type of readonly arrays.
function isArray(value: object): value is readonly JsonValue[] {
  return Array.isArray(value);
}
