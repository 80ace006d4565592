/**
 * What an etcd with users or with TLS needs: users, a certificate authority of its own, and certificates that
 * can be renewed.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Etcd3 } from 'etcd3';

/** The user that {@link enableUsers} creates. */
export const ROOT = { username: 'root', password: 'root-password' };

/** Creates the user {@link ROOT}; from then on etcd requires a password from every client. */
export async function enableUsers(hosts: readonly string[]): Promise<void> {
  const root = new Etcd3({ hosts: [...hosts] });
  await root.user('root').create(ROOT.password);
  await root.role('root').create();
  await root.user('root').addRole('root');
  await root.auth.authEnable();
  root.close();
}

/** A certificate authority and the certificate of a server on 127.0.0.1, as files of one folder. */
export class Certificates {
  private readonly folder = mkdtempSync(join(tmpdir(), 'certificates-'));
  private readonly subject = ['-subj', '/CN=localhost', '-nodes', '-newkey', 'rsa:2048'];

  constructor() {
    const files = ['-keyout', this.path('ca.key'), '-out', this.path('ca.pem')];
    openssl('req', '-x509', ...this.subject, ...files, '-days', '2');
    this.issue();
  }

  /** The certificate of the authority. */
  get ca(): string {
    return readFileSync(this.path('ca.pem'), 'utf8');
  }

  /** The flags of etcd that name the certificate and its key. */
  get flags(): readonly string[] {
    return ['--cert-file', this.path('cert.pem'), '--key-file', this.path('key.pem')];
  }

  /** The server's certificate and its key. */
  get pair(): { readonly cert: string; readonly key: string } {
    const [cert = '', key = ''] = ['cert.pem', 'key.pem'].map((name) =>
      readFileSync(this.path(name), 'utf8'),
    );
    return { cert, key };
  }

  /**
   * Replaces the server's certificate and key by new ones.
   *
   * @param names the names and addresses for which the certificate is valid, as OpenSSL writes them
   */
  issue(names = 'IP:127.0.0.1'): void {
    const request = ['-keyout', this.path('key.pem'), '-out', this.path('csr.pem')];
    openssl('req', ...this.subject, ...request);
    writeFileSync(this.path('extensions'), `subjectAltName=${names}`);
    const authority = ['-CA', this.path('ca.pem'), '-CAkey', this.path('ca.key')];
    const output = ['-out', this.path('cert.pem'), '-days', '1', '-extfile'];
    const from = ['-req', '-in', this.path('csr.pem'), ...authority, '-CAcreateserial'];
    openssl('x509', ...from, ...output, this.path('extensions'));
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }

  private path(name: string): string {
    return join(this.folder, name);
  }
}

function openssl(...args: readonly string[]): void {
  execFileSync('openssl', args, { stdio: 'pipe' });
}
