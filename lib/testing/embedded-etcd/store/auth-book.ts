/** Decides which calls are allowed: knows at most one user, and the tokens that were issued. */
import { randomBytes } from 'node:crypto';
import type { Metadata } from '@grpc/grpc-js';
import { refusal } from '../wire/etcd-error.js';

/** The one user of an embedded etcd. */
export interface Credentials {
  readonly username: string;
  readonly password: string;
}

/**
 * Checks names, passwords and tokens. Without credentials every call is allowed until the first
 * {@link rejectTokens}.
 */
export class AuthBook {
  private readonly tokens = new Set<string>();
  private required: boolean;

  /** @param credentials the only user that may log in; without them every call is allowed */
  constructor(private readonly credentials: Credentials | undefined) {
    this.required = credentials !== undefined;
  }

  /** Whether calls need a token. */
  get enabled(): boolean {
    return this.required;
  }

  /**
   * A new token for a user.
   *
   * @throws EtcdError for a wrong name or password, or if authentication is off
   */
  authenticate(username: string, password: string): string {
    if (!this.required) throw refusal('authNotEnabled');
    const { credentials } = this;
    if (credentials !== undefined) {
      const right = credentials.username === username && credentials.password === password;
      if (!right) throw refusal('authFailed');
    }
    const token = randomBytes(12).toString('hex');
    this.tokens.add(token);
    return token;
  }

  /** Refuses a call without a valid token, if tokens are required. */
  check(metadata: Metadata): void {
    if (!this.required) return;
    const token = metadata.get('token')[0] ?? metadata.get('authorization')[0];
    if (token === undefined) throw refusal('userEmpty');
    if (!this.tokens.has(String(token))) throw refusal('invalidAuthToken');
  }

  /** Makes every token that was issued invalid, and requires tokens from now on. */
  rejectTokens(): void {
    this.tokens.clear();
    this.required = true;
  }

  /** Forgets the tokens, as a restart does. */
  forgetTokens(): void {
    this.tokens.clear();
  }
}
