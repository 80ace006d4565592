import { describe, expect, it } from 'vitest';
import { DiscoveryError } from '../../../lib/core/discovery-error.js';
import { printableBeginning, printableText } from '../../../lib/core/printable-text.js';

describe('printableText', () => {
  it.each([
    ['a line end', 'api/x\n[Nest] LOG', String.raw`api/x\n[Nest] LOG`],
    ['carriage return and tab', 'a\r\tb', String.raw`a\r\tb`],
    ['ESC, which moves the cursor', '\u001b[2J', String.raw`\u001b[2J`],
    ['NUL and DEL', '\0\u007f', String.raw`\u0000\u007f`],
    ['the one-byte CSI', '\u009b2J', String.raw`\u009b2J`],
    ['line and paragraph separators', '\u2028\u2029', String.raw`\u2028\u2029`],
    ['what turns the direction of text', '\u202eabc\u2066', String.raw`\u202eabc\u2066`],
    ['what has no width', 'a\u200bb\ufeff', String.raw`a\u200bb\ufeff`],
    ['half a surrogate pair', '\ud800x', String.raw`\ud800x`],
    ['format characters past U+FFFF', '\u{e0001}', String.raw`\u{e0001}`],
  ])('escapes %s', (_, text, expected) => {
    expect(printableText(text)).toBe(expected);
  });

  it('does not change other text', () => {
    const text = '用户 é 🚀 "a\\b" {"Op":0} −…';
    expect(printableText(text)).toBe(text);
  });

  it('escapes every control character of Unicode', () => {
    for (let unit = 0; unit <= 0xff; unit++) {
      const isControl = unit < 0x20 || (unit >= 0x7f && unit <= 0x9f);
      const isEscaped = printableText(String.fromCharCode(unit)).startsWith('\\');
      expect(isEscaped, unit.toString(16)).toBe(isControl || unit === 0x5c || unit === 0xad);
    }
  });
});

it('printableBeginning cuts a long text and appends an ellipsis', () => {
  expect(printableBeginning('abc', 3)).toBe('abc');
  expect(printableBeginning('abc\n', 3)).toBe('abc…');
  expect(printableBeginning('ab🚀', 3)).toBe('ab\ufffd…');
});

it('the message of a DiscoveryError is one line, even if it quotes control characters', () => {
  const error = new DiscoveryError('CONFLICT', 'key "api/x\n[Nest] fake\u001b[2J"');
  expect(error.message).toBe(String.raw`[CONFLICT] key "api/x\n[Nest] fake\u001b[2J"`);
  expect(error.detail).toBe(String.raw`key "api/x\n[Nest] fake\u001b[2J"`);
});
