/**
 * The token that this process sends to etcd: one for all members and requests, replaced when etcd rejects it.
 */
import { type Observable, Subject } from 'rxjs';
import type { CancelTimer, Clock, Random } from '../../core/clock.js';
import { isAnothersTurn, isAuthOff, KnownRefusalError } from './etcd-error.js';

/** What a token source needs. */
interface TokenSourceOptions<Member> {
  readonly clock: Clock;
  readonly random: Random;
  /** Asks a member for a token. */
  readonly authenticate: (member: Member) => Promise<string>;
  /** Asks one member after the other until one answers; used to retry a refused password. */
  readonly inTurn: (ask: (member: Member) => Promise<void>) => Promise<void>;
  /**
   * Called once when etcd's authentication turns out to be off, and again only after etcd has issued a token
   * in between.
   */
  readonly onUnused: () => void;
}

/** Mean delay before the first retry of a refused password, in milliseconds; it doubles with each refusal. */
const FIRST_RETRY_MS = 250;
/**
 * The longest mean delay between retries of a refused password, in milliseconds: with its spread and the
 * request itself, a corrected password is used within 5 s.
 */
const LAST_RETRY_MS = 3_000;

type Standing =
  /** The next request asks for a token. */
  | { readonly name: 'unknown' }
  | { readonly name: 'given'; readonly token: string }
  /** etcd's authentication is off: requests go out without a token. */
  | { readonly name: 'unused' }
  /** etcd refuses name and password: requests fail at once, and only this source retries. */
  | { readonly name: 'refused'; readonly error: unknown };

/** Asks for as few tokens as possible: each check of a password costs etcd tens of milliseconds of CPU. */
export class TokenSource<Member> {
  private readonly acceptances = new Subject<void>();
  private readonly pending = new Map<Member, Promise<void>>();
  private standing: Standing = { name: 'unknown' };
  private wasToldUnused = false;
  private cancelTimer: CancelTimer | undefined;
  private closed = false;

  constructor(private readonly options: TokenSourceOptions<Member>) {}

  /** Fires when etcd accepts a password that it had refused, or no longer requires one. */
  get accepted$(): Observable<void> {
    return this.acceptances.asObservable();
  }

  /**
   * The token for a request to this member, `undefined` if none is needed.
   *
   * @throws the error of the request for a token; KnownRefusalError if etcd has refused the password before
   */
  async get(member: Member): Promise<string | undefined> {
    if (this.standing.name === 'unknown') await this.ask(member);
    if (this.standing.name === 'refused') {
      const { error } = this.standing;
      const reason = error instanceof Error ? error.message : String(error);
      throw new KnownRefusalError(reason, { cause: error });
    }
    return this.standing.name === 'given' ? this.standing.token : undefined;
  }

  /**
   * Reports that etcd rejected this token, or a request without one (`undefined`): the next request asks for
   * a new one.
   */
  discard(token: string | undefined): void {
    const { standing } = this;
    const current = standing.name === 'given' ? standing.token : undefined;
    // A request with an older token says nothing about the current one.
    if (standing.name !== 'refused' && current === token) this.standing = { name: 'unknown' };
  }

  /** Stops the retries. */
  close(): void {
    this.closed = true;
    this.cancelTimer?.();
    this.acceptances.complete();
  }

  private ask(member: Member): Promise<void> {
    const asked = this.pending.get(member);
    if (asked !== undefined) return asked;
    const asking = this.authenticate(member).finally(() => this.pending.delete(member));
    this.pending.set(member, asking);
    return asking;
  }

  private async authenticate(member: Member): Promise<void> {
    try {
      const token = await this.options.authenticate(member);
      this.wasToldUnused = false;
      this.accept({ name: 'given', token });
    } catch (error) {
      if (isAuthOff(error)) {
        this.accept({ name: 'unused' });
        if (!this.wasToldUnused) this.options.onUnused();
        this.wasToldUnused = true;
        return;
      }
      if (!isAnothersTurn(error)) this.refuse(error);
      throw error;
    }
  }

  private accept(standing: Standing): void {
    const wasRefused = this.standing.name === 'refused';
    this.standing = standing;
    this.cancelTimer?.();
    if (wasRefused) this.acceptances.next();
  }

  private refuse(error: unknown): void {
    const isFirst = this.standing.name !== 'refused';
    this.standing = { name: 'refused', error };
    if (isFirst) this.scheduleRetry(FIRST_RETRY_MS);
  }

  private scheduleRetry(meanMs: number): void {
    if (this.closed) return;
    const { clock, random, inTurn } = this.options;
    this.cancelTimer?.();
    this.cancelTimer = clock.setTimer(meanMs * (0.75 + 0.5 * random()), () => {
      inTurn((member) => this.ask(member)).catch(() => {
        if (this.standing.name === 'refused') {
          this.scheduleRetry(Math.min(LAST_RETRY_MS, meanMs * 2));
        }
      });
    });
  }
}
