/** The token under which this process speaks to etcd: one for all members and requests, replaced when etcd refuses it. */
import { type Observable, Subject } from 'rxjs';
import type { CancelTimer, Clock, Random } from '../../core/clock.js';
import { isAnothersTurn, isAuthOff, KnownRefusalError } from './etcd-error.js';

/** What a token source needs. */
export interface TokenSourceOptions<Member> {
  readonly clock: Clock;
  readonly random: Random;
  /** Asks a member for a token. */
  readonly authenticate: (member: Member) => Promise<string>;
  /** Has members asked in turn, until one of them answers: by this a refused password is tried again. */
  readonly inTurn: (ask: (member: Member) => Promise<void>) => Promise<void>;
  /** Called when etcd turns out to have its authentication off, once until a token was given again. */
  readonly onUnused: () => void;
}

/** The mean time until a refused password is tried again, in milliseconds: doubles with each refusal, within these bounds. */
const FIRST_RETRY_MS = 250;
/** With what is drawn around it and the request itself a password that becomes right is used within 5 s. */
const LAST_RETRY_MS = 3_000;

type Standing =
  /** To be asked for with the next request. */
  | { readonly name: 'unknown' }
  | { readonly name: 'given'; readonly token: string }
  /** etcd's authentication is off: requests go out without a token. */
  | { readonly name: 'unused' }
  /** etcd refuses name and password: requests fail at once, and the source alone asks again, however many requests there are. */
  | { readonly name: 'refused'; readonly error: unknown };

/** Asks for tokens, as seldom as can be: etcd takes tens of milliseconds of CPU for each password. */
export class TokenSource<Member> {
  private readonly acceptances = new Subject<void>();
  private readonly pending = new Map<Member, Promise<void>>();
  private standing: Standing = { name: 'unknown' };
  private wasToldUnused = false;
  private cancelTimer: CancelTimer | undefined;
  private closed = false;

  constructor(private readonly options: TokenSourceOptions<Member>) {}

  /** Fires when etcd takes a password, or does without one, after it had refused it. */
  get accepted$(): Observable<void> {
    return this.acceptances.asObservable();
  }

  /**
   * The token for a request to this member, `undefined` where none is needed.
   *
   * @throws whatever the request for it failed with; KnownRefusalError where etcd has refused the password before
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

  /** etcd refuses this token, or that there is none (`undefined`): the next request asks for another one. */
  discard(token: string | undefined): void {
    const { standing } = this;
    const current = standing.name === 'given' ? standing.token : undefined;
    // A request that was sent under an older one says nothing about this one.
    if (standing.name !== 'refused' && current === token) this.standing = { name: 'unknown' };
  }

  /** Asks no more. */
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
