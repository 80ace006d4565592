/**
 * Checks the `etcd.tls` option, including the certificates themselves: OpenSSL ignores a CA that it cannot
 * read.
 */
import { X509Certificate } from 'node:crypto';
import { ChannelCredentials } from '@grpc/grpc-js';
import type { EtcdTls } from '../../etcd/etcd-options.js';
import { inWords, TEXT } from '../../core/values/value-rule.js';
import { optionReader } from './option-reader.js';

const CERTIFICATE =
  'PEM text or bytes of a certificate (-----BEGIN CERTIFICATE-----), not the name of a file';
const KEY =
  'PEM text or bytes of a private key (-----BEGIN PRIVATE KEY-----), not the name of a file';

/**
 * @param secure whether the hosts are `https://`
 * @throws DiscoveryError `INVALID_OPTION`
 */
export function validateEtcdTls(value: unknown, secure: boolean): EtcdTls {
  const { ca, cert, key } = optionReader.fields('etcd.tls', value, ['ca', 'cert', 'key']);
  if (!secure) optionReader.refuse('etcd.tls', 'given with http:// hosts', 'https:// hosts');
  if ((cert === undefined) !== (key === undefined)) {
    const shown = cert === undefined ? 'undefined' : 'given';
    optionReader.refuse('etcd.tls.cert', shown, 'cert and key together');
  }
  const authority = certificate('etcd.tls.ca', ca);
  if (cert === undefined) return Object.freeze({ ca: authority });
  const tls = {
    ca: authority,
    cert: certificate('etcd.tls.cert', cert),
    key: pem('etcd.tls.key', key, KEY),
  };
  try {
    const [rootCertificates, privateKey, chain] = [tls.ca, tls.key, tls.cert].map(toBuffer);
    ChannelCredentials.createSsl(rootCertificates, privateKey, chain);
  } catch (error) {
    // OpenSSL's errors are errors.
    const shown = `refused beside its key (${(error as Error).message})`;
    optionReader.refuse(
      'etcd.tls.cert',
      shown,
      'a certificate, and with it the private key it was made for',
    );
  }
  // Not enumerable: code that prints the options, or an object that holds them, does not print the key.
  return Object.freeze(Object.defineProperty(tls, 'key', { enumerable: false }));
}

function certificate(option: string, value: unknown): string | Uint8Array {
  const given = pem(option, value, CERTIFICATE);
  try {
    // `X509Certificate` reads the first certificate of a bundle.
    void new X509Certificate(given);
    return given;
  } catch {
    return optionReader.refuse(option, 'PEM that holds no certificate', CERTIFICATE);
  }
}

function pem(option: string, value: unknown, allowed: string): string | Uint8Array {
  const given =
    value instanceof Uint8Array && value.length > 0
      ? value
      : optionReader.required(option, value, inWords(allowed, TEXT));
  const text = typeof given === 'string' ? given : Buffer.from(given).toString('latin1');
  if (text.includes('-----BEGIN ')) return given;
  // The text is not shown in the error: it may be a private key in the wrong place.
  const isFileName = /^[^\n]{1,200}\.(pem|crt|cer|key)$/i.test(text);
  return optionReader.refuse(option, isFileName ? 'the name of a file' : 'no PEM', allowed);
}

function toBuffer(given: string | Uint8Array): Buffer {
  return typeof given === 'string' ? Buffer.from(given) : Buffer.from(given);
}
