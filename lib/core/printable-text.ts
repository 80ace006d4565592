/** Makes text from outside safe for log lines and errors: one line, without terminal control characters. */

/**
 * Control characters, line ends, lone surrogates, and characters that have no width or change the direction.
 */
const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu;
const SHORT_ESCAPES: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' };

/** The text with every control character escaped: a line end is `\n`, ESC is `\u001b`. */
export function printableText(text: string): string {
  return text.replace(UNPRINTABLE, escapeCharacter);
}

/** The first `maxCharacters` characters of a text, control characters escaped; `…` replaces the rest. */
export function printableBeginning(text: string, maxCharacters: number): string {
  return text.length > maxCharacters
    ? `${printableText(text.slice(0, maxCharacters).toWellFormed())}…`
    : printableText(text);
}

function escapeCharacter(character: string): string {
  const short = SHORT_ESCAPES[character];
  if (short !== undefined) return short;
  const hexadecimal = (character.codePointAt(0) ?? 0).toString(16);
  return hexadecimal.length > 4 ? `\\u{${hexadecimal}}` : `\\u${hexadecimal.padStart(4, '0')}`;
}
