import { describe, expect, it } from 'vitest';
import { EtcdRegistry } from 'nestjs-grpc-discovery';
import { describeMemberUrls, parseMemberUrl } from '../../../../lib/etcd/connection/member-url.js';

describe('parseMemberUrl', () => {
  it.each([
    ['h:1', 'http://h:1'],
    [' http://h:1/ ', 'http://h:1'],
    ['https://etcd-0.etcd_ns:65535', 'https://etcd-0.etcd_ns:65535'],
    ['http://[::1]:2379', 'http://[::1]:2379'],
    ['http://bücher:1', 'http://bücher:1'],
  ])('reads %s', (text, url) => {
    expect(parseMemberUrl(text)).toBe(url);
  });

  it.each([
    'h',
    'h:0',
    'h:65536',
    'ftp://h:1',
    'h:1/x',
    'u:p@h:1',
    'a,b:1',
    'root%3Ap%40h:1',
    'a b:1',
  ])('refuses %s', (text) => {
    expect(parseMemberUrl(text)).toBeUndefined();
  });
});

describe('describeMemberUrls', () => {
  it.each<readonly [unknown, string]>([
    [['http://h:1', 'https://[::1]:2'], '["http://h:1","https://[::1]:2"]'],
    [['h:0', 'h:65536', 'ftp://h:1', 'http://h'], '["h:0","h:65536","ftp://h:1","http://h"]'],
    [['h:1/path', 'http://h:2379?password=x'], '["h:1/…","http://h:2379?…"]'],
    [['h:1#x'], '["h:1#…"]'],
    [['http://root:p@h:1'], '["http://…@h:1"]'],
    [['http://root:a@b@h:1/'], '["http://…@h:1"]'],
    [['http://root:a,b@h:1'], '["http://…@h:1"]'],
    [['http://root:a b@h:1', 'http://root:a"b@h:1'], '["http://…@h:1","http://…@h:1"]'],
    // It is not certain where the password ends.
    [['http://root:a#b@h:1', 'http://root:a/b@h:1'], '["…","…"]'],
    [['http://h:1?password=a@b'], '["…"]'],
    [['http://h:1?password=a', 'b:2'], '["http://h:1?…","…"]'],
    [['http://root:Sec', 'ret@h:1'], '["…","…@h:1"]'],
    [['root:Secret', 'root:123456', 'root%3ASecret:1'], '["…","…","…"]'],
    [['Secret'], '["…" (a name without a port)]'],
    [[7, null, { pwd: 'x' }, ''], '[a value of type number,null,a value of type object,""]'],
    ['h:2379', '"h:2379"'],
    [{ pwd: 'x' }, 'a value of type object'],
    [undefined, 'undefined'],
    [Array(7).fill('h:1'), '["h:1","h:1","h:1","h:1","h:1",…]'],
  ])('shows %j as %s', (given, shown) => {
    expect(describeMemberUrls(given)).toBe(shown);
  });

  it('shows host and port in the errors of EtcdRegistry', () => {
    expect(() => new EtcdRegistry({ hosts: ['http://u:p@h:1'] })).toThrow(
      '[INVALID_OPTION] hosts is ["http://…@h:1"]; allowed: an array with at least one http://host:port',
    );
  });
});
