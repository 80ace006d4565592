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

it('a ring begins at its start, and moves to the next member after each failure', () => {
  const ring = ringOf(['a', 'b', 'c'], 0.99);
  const first = ring.member;
  expect(first.url).toBe('c');
  ring.leave(first);
  expect(ring.member.url).toBe('a');
  // Another request has switched already.
  ring.leave(first);
  expect(ring.member.url).toBe('a');
});

it('renewing a member replaces its client and closes the old one', () => {
  const ring = ringOf(['a', 'b']);
  const { member } = ring;
  ring.renew(member);
  expect(member.isClosed).toBe(true);
  expect(ring.member).not.toBe(member);
  expect(ring.member.url).toBe('a');
});

it('replacing the members keeps the client of a known URL, and the member in use', () => {
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
])('with the start %d, a ring whose members were all replaced uses the member %s', (start, url) => {
  const ring = ringOf(['a', 'b'], start);
  ring.replace(['d', 'e', 'f', 'g']);
  expect(ring.member.url).toBe(url);
});

it('closing a ring closes all clients', () => {
  const ring = ringOf(['a', 'b']);
  const a = ring.member;
  ring.close();
  expect(a.isClosed).toBe(true);
});

it('an empty ring names the option that is empty', () => {
  expect(() => ringOf([]).member).toThrow('etcd.hosts is empty');
});
