/** What Go's `encoding/json` sees in a JSON text and `JSON.parse` does not say. */
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

/** Where the string literal that begins at `start` has its closing quote. */
export function endOfString(text: string, start: number): number {
  let index = start + 1;
  for (; text[index] !== '"'; index++) if (text[index] === '\\') index++;
  return index;
}

/**
 * The text with every half of a surrogate pair, raw or as an escape, replaced by U+FFFD; all else stays as it is. Done to the source, so that
 * names and values are the same at any depth.
 */
export function wellFormedJson(text: string): string {
  const raw = text.toWellFormed();
  if (!SURROGATE_ESCAPE.test(raw)) return raw;
  return raw.replace(ESCAPES, (escape: string, half: string | undefined) =>
    half === undefined ? escape : String.raw`\ufffd`,
  );
}

const SURROGATE_ESCAPE = /\\u[dD][89a-fA-F]/;
/** Whole pairs, halves (captured), and all other escapes, so that a backslash is never taken for the beginning of another one. */
const ESCAPES =
  /\\u[dD][89abAB][\da-fA-F]{2}\\u[dD][c-fC-F][\da-fA-F]{2}|(\\u[dD][89a-fA-F][\da-fA-F]{2})|\\[^]/g;

/**
 * Whether a float64 holds every number of a JSON text, also of members that a later one of the same name replaces: Go converts them
 * all. Precondition: `source` is valid JSON.
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

/** What a number has to have to be too large: an exponent, or 309 digits. */
const LARGE_NUMBER = /\d[eE]\+?\d|\d{309}/;
const NUMBER = /-?\d[\d.eE+-]*/y;
