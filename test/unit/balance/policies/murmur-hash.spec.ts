import { describe, expect, it } from 'vitest';
import { finalMix, murmurHash } from '../../../../lib/balance/policies/murmur-hash.js';

describe('murmurHash', () => {
  // Vectors of MurmurHash3_x86_32, as published with several implementations (SMHasher, Guava, Commons
  // Codec).
  it.each([
    ['', 0, 0],
    ['', 1, 0x514e28b7],
    ['', 0xffffffff, 0x81f16f39],
    ['a', 0x9747b28c, 0x7fa09ea6],
    ['aa', 0x9747b28c, 0x5d211726],
    ['aaa', 0x9747b28c, 0x283e0130],
    ['aaaa', 0x9747b28c, 0x5a97808a],
    ['abcd', 0x9747b28c, 0xf0478627],
    ['test', 0, 0xba6bd213],
    ['Hello, world!', 0, 0xc0363e43],
    ['Hello, world!', 0x9747b28c, 0x24884cba],
    ['ππππππππ', 0x9747b28c, 0xd58063c1],
    ['The quick brown fox jumps over the lazy dog', 0, 0x2e4ff723],
    ['The quick brown fox jumps over the lazy dog', 0x9747b28c, 0x2fa826cd],
  ])('hashes %j with seed %i as the reference does', (text, seed, hash) => {
    expect(murmurHash(text, seed)).toBe(hash);
  });

  const characters = ['é', 'é1', '漢字', 'a漢', '😀', 'x😀y', 'ab😀'];
  // The first and the last code point of each length, and some between.
  const edges = [0x7f, 0x80, 0x439, 0x7ff, 0x800, 0xf00, 0x8000, 0xd7ff, 0xe000, 0xffff];
  const long = [0x10000, 0x20000, 0x10ffff];
  const points = [...edges, ...long].map((point) => String.fromCodePoint(point));

  it.each([...characters, ...points])('hashes %s by its UTF-8 bytes', (text) => {
    // The reference works on bytes. For characters below 0x80 a string and its bytes are the same, so a
    // byte-wise implementation must agree with ours on the encoded text.
    expect(murmurHash(text, 7)).toBe(murmurBytes(new TextEncoder().encode(text), 7));
  });

  it('hashes a lone surrogate as the replacement character', () => {
    expect(murmurHash('a\ud800b')).toBe(murmurHash('a\ufffdb'));
    for (const lone of ['\ud800', '\udc00', '\udfff']) {
      expect(murmurHash(lone)).toBe(murmurHash('\ufffd'));
    }
  });
});

describe('finalMix', () => {
  it('flips every output bit with probability 1/2 for every input bit, within 0.05', () => {
    const samples = 4_000;
    for (let input = 0; input < 32; input++) {
      const flips = Array.from({ length: 32 }, () => 0);
      for (let sample = 0; sample < samples; sample++) {
        const value = Math.imul(sample, 0x9e3779b9);
        const difference = finalMix(value) ^ finalMix(value ^ (1 << input));
        for (let output = 0; output < 32; output++) flips[output]! += (difference >>> output) & 1;
      }
      for (const count of flips) expect(Math.abs(count / samples - 0.5)).toBeLessThan(0.05);
    }
  });
});

const rotate = (value: number, by: number): number => (value << by) | (value >>> (32 - by));

const scramble = (word: number): number =>
  Math.imul(rotate(Math.imul(word, 0xcc9e2d51), 15), 0x1b873593);

/** The reference implementation, word by word. */
function murmurBytes(bytes: Uint8Array, seed: number): number {
  let hash = seed;
  const blocks = bytes.length >> 2;
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  for (let block = 0; block < blocks; block++) {
    hash = Math.imul(rotate(hash ^ scramble(view.getUint32(block * 4, true)), 13), 5) + 0xe6546b64;
  }
  let tail = 0;
  for (let at = bytes.length - 1; at >= blocks * 4; at--) tail = (tail << 8) | bytes[at]!;
  hash ^= scramble(tail);
  return finalMix(hash ^ bytes.length);
}
