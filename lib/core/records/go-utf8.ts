/** Decodes UTF-8 as Go does: one U+FFFD for each invalid byte. `TextDecoder` writes one for several bytes. */

// The byte order mark stays in the text, because Go rejects it.
const utf8 = new TextDecoder('utf-8', { ignoreBOM: true });
const REPLACEMENT = '\ufffd';

/** The text of bytes, with one U+FFFD for every byte that is not part of a complete UTF-8 sequence. */
export function decodeGoUtf8(bytes: Uint8Array): string {
  const text = utf8.decode(bytes);
  if (!text.includes(REPLACEMENT)) return text;
  const parts: string[] = [];
  let start = 0;
  for (let index = 0; index < bytes.length;) {
    const length = sequenceLength(bytes, index);
    if (length > 0) {
      index += length;
      continue;
    }
    if (start < index) parts.push(utf8.decode(bytes.subarray(start, index)));
    parts.push(REPLACEMENT);
    index += 1;
    start = index;
  }
  parts.push(utf8.decode(bytes.subarray(start)));
  return parts.join('');
}

/**
 * Length of the UTF-8 sequence at `index`, 0 if it is invalid. Source: RFC 3629; Unicode standard, table 3-7.
 */
function sequenceLength(bytes: Uint8Array, index: number): number {
  const lead = bytes[index] ?? 0;
  if (lead < 0x80) return 1;
  const [length, low, high] = secondByte(lead);
  const second = bytes[index + 1] ?? 0;
  if (length === 0 || second < low || second > high) return 0;
  for (let offset = 2; offset < length; offset++) {
    const next = bytes[index + offset] ?? 0;
    if (next < 0x80 || next > 0xbf) return 0;
  }
  return length;
}

/**
 * The length of a UTF-8 sequence by its first byte, and the bounds of its second byte, which exclude overlong
 * forms, surrogates and code points above U+10FFFF.
 */
function secondByte(lead: number): readonly [length: number, low: number, high: number] {
  if (lead < 0xc2 || lead > 0xf4) return [0, 0, 0];
  if (lead < 0xe0) return [2, 0x80, 0xbf];
  if (lead < 0xf0) return [3, lead === 0xe0 ? 0xa0 : 0x80, lead === 0xed ? 0x9f : 0xbf];
  return [4, lead === 0xf0 ? 0x90 : 0x80, lead === 0xf4 ? 0x8f : 0xbf];
}
