import { describe, expect, it } from 'vitest';
import { formatAddress, isWildcardHost, parseAddress } from '../../../lib/core/address.js';

describe('parseAddress', () => {
  it.each([
    ['127.0.0.1:9999', '127.0.0.1', 9999],
    ['localhost:1', 'localhost', 1],
    ['a-b.c_d.example:65535', 'a-b.c_d.example', 65535],
    ['[::1]:9999', '::1', 9999],
    ['[fe80::1%eth0]:9999', 'fe80::1%eth0', 9999],
    ['h:00080', 'h', 80],
    ['[1:2:3:4:5:6:7:8]:1', '1:2:3:4:5:6:7:8', 1],
    ['[1::8]:1', '1::8', 1],
    ['[::ffff:10.0.0.1]:1', '::ffff:10.0.0.1', 1],
    ['[1:2:3:4:5:6:10.0.0.1]:1', '1:2:3:4:5:6:10.0.0.1', 1],
  ])('reads %s', (address, host, port) => {
    expect(parseAddress(address)).toEqual({ kind: 'tcp', host, port });
  });

  it.each([
    ['unix:/tmp/h.sock', '/tmp/h.sock'],
    ['unix:///tmp/h.sock', '/tmp/h.sock'],
    ['unix:h.sock', 'h.sock'],
    ['unix:h:1', 'h:1'],
  ])('reads %s as a path', (address, path) => {
    expect(parseAddress(address)).toEqual({ kind: 'unix', path });
  });

  it.each([
    '',
    'h',
    'h:',
    ':1',
    'h:0',
    'h:65536',
    'h:123456',
    'h:-1',
    'h:1.5',
    'h:x',
    'h:1:2',
    '::1:9999',
    '[::1]',
    '[]:1',
    '[::1]9999',
    'http://h:1',
    'h/x:1',
    ' h:1',
    'h:1 ',
    'h h:1',
    'h:1\n',
    'unix:',
    '[hello]:80',
    '[127.0.0.1]:80',
    '[http://10.0.0.1]:80',
    '[10.0.0.1:50051:x]:80',
    '[dns:127.0.0.1]:80',
    '[1:2:3:4:5:6:7]:1',
    '[1:2:3:4:5:6:7:8:9]:1',
    '[1:2:3:4:5:6:7::8]:1',
    '[1::2::3]:1',
    '[:1]:1',
    '[12345::1]:1',
    '[::256.0.0.1]:1',
    '[::10.0.0.1.]:1',
    '[::1%]:1',
  ])('refuses %j', (address) => {
    expect(parseAddress(address)).toBeUndefined();
  });

  it.each([
    ['10.0.0.7', 9999],
    ['::1', 1],
    ['fe80::1%eth0', 65535],
    ['host.example', 80],
  ])('reads back what formatAddress writes for %s', (host, port) => {
    expect(parseAddress(formatAddress(host, port))).toEqual({ kind: 'tcp', host, port });
  });
});

describe('isWildcardHost', () => {
  it.each([
    '',
    '*',
    '0.0.0.0',
    '0',
    '0.0',
    '::',
    '[::]',
    '0:0:0:0:0:0:0:0',
    '[0::0]',
    '::0',
    '::ffff:0.0.0.0',
    '[::0.0.0.0]',
    '0:0:0:0:0:FFFF:0:0',
  ])('recognises %j as a host that means every interface', (host) => {
    expect(isWildcardHost(host)).toBe(true);
  });

  it.each([
    '127.0.0.1',
    '10.0.0.0',
    '0.0.0.1',
    '::1',
    '[::1]',
    'fe80::',
    'localhost',
    '0x',
    '1::',
    '::ffff:10.0.0.0',
    '::ffff:0:1',
  ])('does not recognise %j, which is one host', (host) => {
    expect(isWildcardHost(host)).toBe(false);
  });
});
