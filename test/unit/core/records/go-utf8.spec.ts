import { describe, expect, it } from 'vitest';
import { decodeGoUtf8 } from '../../../../lib/core/records/go-utf8.js';

/** Bytes, of which a text gives its UTF-8. */
const bytes = (...parts: readonly (string | readonly number[])[]): Uint8Array =>
  Buffer.concat(
    parts.map((part) => (typeof part === 'string' ? Buffer.from(part) : Buffer.from(part))),
  );

describe('decodeGoUtf8', () => {
  it.each<[string, readonly number[]]>([
    ['the first and the last of one byte', [0x00, 0x7f]],
    ['the first and the last of two bytes', [0xc2, 0x80, 0xdf, 0xbf]],
    ['the first and the last of three bytes', [0xe0, 0xa0, 0x80, 0xef, 0xbf, 0xbf]],
    ['the characters next to the surrogates', [0xed, 0x9f, 0xbf, 0xee, 0x80, 0x80]],
    ['the first and the last of four bytes', [0xf0, 0x90, 0x80, 0x80, 0xf4, 0x8f, 0xbf, 0xbf]],
    ['the byte order mark', [0xef, 0xbb, 0xbf]],
    ['U+FFFD', [0xef, 0xbf, 0xbd]],
  ])('keeps valid characters, also beside an invalid byte: %s', (_, valid) => {
    // Not `TextDecoder`, which removes a byte order mark.
    const text = Buffer.from(valid).toString('utf8');
    expect(decodeGoUtf8(bytes(valid))).toBe(text);
    expect(decodeGoUtf8(bytes(valid, [0xff], valid))).toBe(`${text}\ufffd${text}`);
  });

  it.each<[string, readonly number[]]>([
    ['a byte that begins nothing', [0x80]],
    ['bytes that begin nothing', [0x80, 0xbf, 0xc0, 0xc1, 0xf5, 0xff]],
    ['a sequence of two cut after its first byte', [0xdf]],
    ['a sequence of three cut after its first byte', [0xe2]],
    ['a sequence of three cut after its second byte', [0xe2, 0x82]],
    ['a sequence of four cut after its third byte', [0xf0, 0x9f, 0x98]],
    ['an overlong form of two bytes', [0xc1, 0xbf]],
    ['an overlong form of three bytes', [0xe0, 0x9f, 0xbf]],
    ['an overlong form of four bytes', [0xf0, 0x8f, 0xbf, 0xbf]],
    ['the first surrogate', [0xed, 0xa0, 0x80]],
    ['the last surrogate', [0xed, 0xbf, 0xbf]],
    ['what follows U+10FFFF', [0xf4, 0x90, 0x80, 0x80]],
  ])('writes one U+FFFD for each byte of %s', (_, invalid) => {
    const replaced = '\ufffd'.repeat(invalid.length);
    expect(decodeGoUtf8(bytes(invalid))).toBe(replaced);
    expect(decodeGoUtf8(bytes('a', invalid, 'z'))).toBe(`a${replaced}z`);
    expect(decodeGoUtf8(bytes('€', invalid, '€'))).toBe(`€${replaced}€`);
  });

  it.each<[string, readonly number[], string]>([
    ['third byte too low', [0xe2, 0x82, 0x7f], '\ufffd\ufffd\u007f'],
    ['third byte too high', [0xe2, 0x82, 0xc0], '\ufffd\ufffd\ufffd'],
    ['fourth byte too low', [0xf0, 0x9f, 0x98, 0x41], '\ufffd\ufffd\ufffdA'],
    ['second byte too low', [0xc3, 0x28], '\ufffd('],
    ['cut sequence before a whole one', [0xe2, 0x82, 0xe2, 0x82, 0xac], '\ufffd\ufffd€'],
  ])(
    'goes on with the next valid character after a sequence with the fault: %s',
    (_, given, text) => {
      expect(decodeGoUtf8(bytes(given))).toBe(text);
    },
  );

  it('returns an empty text for no bytes', () => {
    expect(decodeGoUtf8(new Uint8Array())).toBe('');
  });
});
