import { expect, it } from 'vitest';
import { MemberRing } from '../../../../lib/etcd/connection/member-ring.js';

class Client {
  isClosed = false;
  constructor(readonly url: string) {}
  close(): void {
    this.isClosed = true;
  }
}

const ringOf = (urls: readonly string[], start = 0) =>
  new MemberRing(urls, (url) => new Client(url), start);

it('a ring begins where it is told to, and goes round by those that fail', () => {
  const ring = ringOf(['a', 'b', 'c'], 0.99);
  const first = ring.member;
  expect(first.url).toBe('c');
  ring.leave(first);
  expect(ring.member.url).toBe('a');
  // Another request has left it already.
  ring.leave(first);
  expect(ring.member.url).toBe('a');
});

it('a member that is renewed has a new client, and the old one is closed', () => {
  const ring = ringOf(['a', 'b']);
  const { member } = ring;
  ring.renew(member);
  expect(member.isClosed).toBe(true);
  expect(ring.member).not.toBe(member);
  expect(ring.member.url).toBe('a');
});

it('other members take over, and what is known under the same URL keeps its client and its use', () => {
  const ring = ringOf(['a', 'b']);
  const a = ring.member;
  ring.leave(a);
  const b = ring.member;
  ring.replace(['c', 'b']);
  expect(ring.urls).toEqual(['c', 'b']);
  expect(ring.member).toBe(b);
  expect({ a: a.isClosed, b: b.isClosed }).toEqual({ a: true, b: false });
  ring.replace(['c']);
  expect(ring.member.url).toBe('c');
  expect(b.isClosed).toBe(true);
});

it.each([
  [0, 'd'],
  [0.5, 'f'],
  [0.99, 'g'],
])('a ring that began at %d goes on there among members which are all new', (start, url) => {
  const ring = ringOf(['a', 'b'], start);
  ring.replace(['d', 'e', 'f', 'g']);
  expect(ring.member.url).toBe(url);
});

it('a ring that is closed closes all clients', () => {
  const ring = ringOf(['a', 'b']);
  const a = ring.member;
  ring.close();
  expect(a.isClosed).toBe(true);
});

it('an empty ring says which option is', () => {
  expect(() => ringOf([]).member).toThrow('etcd.hosts is empty');
});
