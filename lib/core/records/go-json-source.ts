/** Properties of a JSON text that Go's `encoding/json` checks and `JSON.parse` does not report. */
import { MAX_JSON_NESTING } from './go-json.js';

/** Whether JSON is nested deeper than Go reads. Precondition: `text` is valid JSON. */
export function isTooDeep(text: string): boolean {
  if (text.length <= MAX_JSON_NESTING) return false;
  let depth = 0;
  for (let index = 0; index < text.length; index++) {
    const character = text[index];
    if (character === '"') index = endOfString(text, index);
    else if (character === '{' || character === '[') depth++;
    else if (character === '}' || character === ']') depth--;
    if (depth > MAX_JSON_NESTING) return true;
  }
  return false;
}

/** The index of the closing quote of the string literal that begins at index `start`. */
export function endOfString(text: string, start: number): number {
  let index = start + 1;
  for (; text[index] !== '"'; index++) if (text[index] === '\\') index++;
  return index;
}

/**
 * The JSON text with every lone surrogate, raw or escaped, replaced by U+FFFD. A replacement in the source
 * treats names and values alike, at any depth.
 */
export function wellFormedJson(text: string): string {
  const raw = text.toWellFormed();
  if (!SURROGATE_ESCAPE.test(raw)) return raw;
  return raw.replace(ESCAPES, (escape: string, half: string | undefined) =>
    half === undefined ? escape : String.raw`\ufffd`,
  );
}

const SURROGATE_ESCAPE = /\\u[dD][89a-fA-F]/;
/**
 * Matches surrogate pairs, lone surrogates (captured), and all other escapes. So no match begins inside of an
 * escape.
 */
const ESCAPES =
  /\\u[dD][89abAB][\da-fA-F]{2}\\u[dD][c-fC-F][\da-fA-F]{2}|(\\u[dD][89a-fA-F][\da-fA-F]{2})|\\[^]/g;

/**
 * Whether every number of a JSON text is in the range of a float64. A member that a later member of the same
 * name replaces counts too, because Go converts all numbers. Precondition: `source` is valid JSON.
 */
export function hasFiniteNumbers(source: string): boolean {
  if (!LARGE_NUMBER.test(source)) return true;
  for (let index = 0; index < source.length; index++) {
    if (source[index] === '"') {
      index = endOfString(source, index);
      continue;
    }
    NUMBER.lastIndex = index;
    const [number] = NUMBER.exec(source) ?? [];
    if (number === undefined) continue;
    if (!Number.isFinite(Number(number))) return false;
    index += number.length - 1;
  }
  return true;
}

/** Matches an exponent or 309 digits: without either no number is too large for a float64. */
const LARGE_NUMBER = /\d[eE]\+?\d|\d{309}/;
const NUMBER = /-?\d[\d.eE+-]*/y;
