import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { validateEtcdTls } from '../../../../lib/nest/options/validate-etcd-tls.js';
import { expectRejected } from './rejection.js';

const tlsFile = (name: string): string =>
  readFileSync(new URL(`../../../fixtures/tls/${name}.pem`, import.meta.url), 'utf8');
const TLS = { ca: tlsFile('ca'), cert: tlsFile('client'), key: tlsFile('client-key') };

/** The error shows what OpenSSL says. */
const MISMATCH = 'refused beside its key (error:';

describe('the option etcd.tls', () => {
  it.each<[string, object, field: string, shown: string, allowed: string]>([
    ['an empty CA', { ca: '' }, 'ca', '""', 'PEM text or bytes'],
    ['no CA', {}, 'ca', 'undefined', 'PEM text or bytes'],
    ['no bytes', { ca: new Uint8Array() }, 'ca', 'bytes', 'PEM text or bytes'],
    ['other bytes', { ca: new Uint8Array([1]) }, 'ca', 'no PEM', 'BEGIN CERTIFICATE'],
    ['another text', { ca: 'rubbish' }, 'ca', 'no PEM', 'BEGIN CERTIFICATE'],
    ['the path of a CA', { ca: '/etc/ssl/ca.pem' }, 'ca', 'the name of a file', 'not the name'],
    ['a key as CA', { ca: TLS.key }, 'ca', 'PEM that holds no certificate', 'BEGIN CERTIFICATE'],
    ['half of a CA', { ca: TLS.ca.slice(0, 300) }, 'ca', 'PEM that holds no', 'BEGIN CERT'],
    ['no key', { ca: 'x', cert: 'y' }, 'cert', 'given', 'cert and key together'],
    ['no certificate', { ca: 'x', key: 'y' }, 'cert', 'undefined', 'cert and key together'],
    ['a path', { ...TLS, cert: 'client.pem' }, 'cert', 'the name of a file', 'not the name'],
    ['the path of a key', { ...TLS, key: 'key.pem' }, 'key', 'the name of a file', 'not the name'],
    ['a broken key', { ...TLS, key: '-----BEGIN JUNK-----' }, 'cert', 'refused beside', 'key'],
    ['the key of another', { ...TLS, key: tlsFile('server-key') }, 'cert', MISMATCH, 'key'],
  ])('is rejected: %s', (_, tls, field, shown, allowed) => {
    expectRejected(() => validateEtcdTls(tls, true), `etcd.tls.${field}`, shown, allowed);
  });

  it('is rejected with http:// hosts, and if it has unknown fields', () => {
    const shown = 'given with http:// hosts';
    expectRejected(() => validateEtcdTls(TLS, false), 'etcd.tls', shown, 'https:// hosts');
    const misspelt = { ...TLS, cA: 1 };
    const allowed = 'none; etcd.tls has ca, cert, key';
    expectRejected(() => validateEtcdTls(misspelt, true), 'etcd.tls.cA', 'a number', allowed);
  });

  it.each<[string, object]>([
    ['a CA alone', { ca: TLS.ca }],
    ['a CA as bytes', { ca: Buffer.from(TLS.ca) }],
    ['a certificate with its key', TLS],
    [
      'all as bytes',
      { ca: Buffer.from(TLS.ca), cert: Buffer.from(TLS.cert), key: Buffer.from(TLS.key) },
    ],
  ])('is frozen, and has what the user gave: %s', (_, tls) => {
    const checked = validateEtcdTls(tls, true);
    expect({ ...checked, ...('key' in tls ? { key: checked.key } : {}) }).toStrictEqual(tls);
    expect(Object.isFrozen(checked)).toBe(true);
  });

  it('has its key in a field that is not enumerable, and so is not printed', () => {
    const tls = validateEtcdTls(TLS, true);
    expect([Object.keys(tls), tls.key]).toEqual([['ca', 'cert'], TLS.key]);
  });
});
