/** Compares JSON values without encoding them: the first difference ends the comparison of large values. */
import type { JsonValue } from './endpoint.js';
import { MAX_JSON_NESTING } from './go-json.js';

/**
 * Whether two values have the same JSON text in Go's form (`encodeGoJson`): the order of object keys does not
 * matter, -0 differs from 0, and a `bigint` equals the same integer. Values nested deeper than Go reads, for
 * example values that contain themselves, are the same only if identical.
 */
export function sameJson(one: JsonValue, other: JsonValue): boolean {
  if (one === other) return typeof one !== 'number' || Object.is(one, other);
  // The stack is explicit, because the allowed nesting is deeper than the call stack.
  const pending: Pair[] = [{ one, other, depth: 1 }];
  for (let pair = pending.pop(); pair !== undefined; pair = pending.pop()) {
    if (!isContainer(pair.one) || !isContainer(pair.other)) {
      if (!sameScalar(pair.one, pair.other)) return false;
    } else if (pair.one !== pair.other && !pushMembers(pair.one, pair.other, pair.depth, pending)) {
      return false;
    }
  }
  return true;
}

interface Pair {
  readonly one: JsonValue;
  readonly other: JsonValue;
  /** The nesting level of the values, if they are containers; 1 for the outermost ones. */
  readonly depth: number;
}

type Container = Extract<JsonValue, object>;

/**
 * Puts the pairs of members of two containers on the stack.
 *
 * @returns false if the containers have different members
 */
function pushMembers(one: Container, other: Container, depth: number, pending: Pair[]): boolean {
  if (depth >= MAX_JSON_NESTING || Array.isArray(one) !== Array.isArray(other)) return false;
  const left = one as Readonly<Record<string, JsonValue | undefined>>;
  const right = other as Readonly<Record<string, JsonValue | undefined>>;
  const keys = Object.keys(left);
  if (keys.length !== Object.keys(right).length) return false;
  for (const key of keys) {
    if (!Object.hasOwn(right, key)) return false;
    pending.push({ one: left[key] ?? null, other: right[key] ?? null, depth: depth + 1 });
  }
  return true;
}

function isContainer(value: JsonValue): value is Container {
  return typeof value === 'object' && value !== null;
}

function sameScalar(one: JsonValue, other: JsonValue): boolean {
  if (Object.is(one, other)) return true;
  if (typeof one === 'string' && typeof other === 'string') {
    return one.toWellFormed() === other.toWellFormed();
  }
  const areIntegers = typeof one !== typeof other && isNumeric(one) && isNumeric(other);
  return (
    areIntegers && String(one) === String(other) && !Object.is(one, -0) && !Object.is(other, -0)
  );
}

function isNumeric(value: JsonValue): value is number | bigint {
  return typeof value === 'number' || typeof value === 'bigint';
}
