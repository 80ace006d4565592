/** Who may ask: one user at most, and the tokens given out. */
import { randomBytes } from 'node:crypto';
import type { Metadata } from '@grpc/grpc-js';
import { refusal } from '../wire/etcd-error.js';

/** The one user of an embedded etcd. */
export interface Credentials {
  readonly username: string;
  readonly password: string;
}

/** Checks names, passwords and tokens. Without credentials everyone may ask, until tokens are first rejected. */
export class AuthBook {
  private readonly tokens = new Set<string>();
  private required: boolean;

  /** @param credentials whom to let in; everyone where there are none */
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
   * @throws EtcdError for a wrong name or password, or where no authentication is asked for
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

  /** Refuses a call without a token, or with one that is not valid (any more). */
  check(metadata: Metadata): void {
    if (!this.required) return;
    const token = metadata.get('token')[0] ?? metadata.get('authorization')[0];
    if (token === undefined) throw refusal('userEmpty');
    if (!this.tokens.has(String(token))) throw refusal('invalidAuthToken');
  }

  /** Makes every token given out so far worthless. */
  rejectTokens(): void {
    this.tokens.clear();
    this.required = true;
  }

  /** Forgets the tokens, as a restart does. */
  forgetTokens(): void {
    this.tokens.clear();
  }
}
