/**
 * MurmurHash3_x86_32 over the UTF-8 bytes of a string, without allocating.
 *
 * Source: Austin Appleton, MurmurHash3.cpp (public domain), https://github.com/aappleby/smhasher. Chosen
 * because every language has it, so another client can compute the same placement. A lone surrogate hashes as
 * U+FFFD, as UTF-8 encoders write it.
 *
 * @param text the string to hash
 * @param seed unsigned 32-bit seed; different seeds give independent hashes. Default 0
 * @returns an unsigned 32-bit integer
 */
export function murmurHash(text: string, seed = 0): number {
  let hash = seed | 0;
  let block = 0;
  let length = 0;
  for (let at = 0; at < text.length; at++) {
    let point = text.charCodeAt(at);
    if (point >= 0xd800 && point <= 0xdfff) {
      point = text.codePointAt(at)!;
      if (point > 0xffff) at++;
      else point = 0xfffd;
    }
    // The UTF-8 bytes of one code point, the first in the lowest place, and their number.
    let bytes = point;
    let count = 1;
    if (point >= 0x10000) {
      bytes =
        0xf0 |
        (point >>> 18) |
        ((0x80 | ((point >>> 12) & 0x3f)) << 8) |
        ((0x80 | ((point >>> 6) & 0x3f)) << 16) |
        ((0x80 | (point & 0x3f)) << 24);
      count = 4;
    } else if (point >= 0x800) {
      bytes =
        0xe0 |
        (point >>> 12) |
        ((0x80 | ((point >>> 6) & 0x3f)) << 8) |
        ((0x80 | (point & 0x3f)) << 16);
      count = 3;
    } else if (point >= 0x80) {
      bytes = 0xc0 | (point >>> 6) | ((0x80 | (point & 0x3f)) << 8);
      count = 2;
    }
    for (; count > 0; count--) {
      block |= (bytes & 0xff) << ((length & 3) << 3);
      bytes >>>= 8;
      if ((++length & 3) === 0) {
        hash = Math.imul(rotateLeft(hash ^ scramble(block), 13), 5) + 0xe6546b64;
        block = 0;
      }
    }
  }
  if ((length & 3) !== 0) hash ^= scramble(block);
  return finalMix(hash ^ length);
}

/**
 * Murmur3's finaliser: a bijection on 32-bit integers in which every input bit flips every output bit with
 * probability 1/2 (within 0.25 %). Turns a counter, or a hash plus an offset, into a new hash that looks
 * independent.
 */
export function finalMix(value: number): number {
  let hash = value;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

function scramble(block: number): number {
  return Math.imul(rotateLeft(Math.imul(block, 0xcc9e2d51), 15), 0x1b873593);
}

function rotateLeft(value: number, bits: number): number {
  return (value << bits) | (value >>> (32 - bits));
}
