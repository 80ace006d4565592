/**
 * Reads the members of a cluster from the cluster itself, so that a process follows members that are replaced
 * one by one.
 */
import type { CancelTimer, Clock, Random } from '../../core/clock.js';
import type { ConnectionEvent } from '../../core/discovery-event.js';
import { toDiscoveryError } from './etcd-error.js';
import { parseMemberUrl } from './member-url.js';
import { fieldOf, listField, malformed } from './reply-fields.js';

/** The URLs for clients in etcd's list of members. */
export interface ClientUrls {
  /** URLs that can be dialled: they have the scheme of `hosts`. */
  readonly urls: readonly string[];
  /** URLs that are not dialled: with another scheme, or not `http` URLs at all. */
  readonly ignored: readonly string[];
  /** URLs of learners, which do not serve clients. */
  readonly learners: readonly string[];
}

/**
 * Reads every client URL in etcd's list of members. Members that were never started are left out.
 *
 * @throws MalformedReplyError if the list names no member
 */
export function readMembers(reply: unknown, isSecure: boolean): ClientUrls {
  const urls = new Set<string>();
  const ignored = new Set<string>();
  const learners = new Set<string>();
  for (const member of listField(reply, 'members')) {
    // A member that was added and has not been started has no name.
    if (fieldOf(member, 'name') === '') continue;
    const isLearner = fieldOf(member, 'isLearner') === true;
    for (const text of listField(member, 'clientURLs')) {
      const url = typeof text === 'string' ? parseMemberUrl(text) : undefined;
      const isAlike = url?.startsWith('https://') === isSecure;
      if (isLearner) learners.add(url ?? String(text));
      else if (url === undefined || !isAlike) ignored.add(String(text));
      else urls.add(url);
    }
  }
  if (urls.size + ignored.size === 0) malformed('it names no member');
  return { urls: [...urls], ignored: [...ignored], learners: [...learners] };
}

/** What the sync needs. */
interface MemberSyncOptions {
  readonly clock: Clock;
  readonly random: Random;
  /** Mean time between two reads of the list, in milliseconds; each is drawn from ±50 % around it. */
  readonly intervalMs: number;
  /**
   * The members in the options. They stay at the end of the list: a load balancer, or a name that moves, may
   * be the last host that answers.
   */
  readonly hosts: readonly string[];
  readonly list: () => Promise<ClientUrls>;
  /** Called with all members when they have changed. */
  readonly onMembers: (urls: readonly string[]) => void;
  readonly onEvent: (event: ConnectionEvent) => void;
}

/** Reads the list of members at intervals, from `start` to `stop`. */
export class MemberSync {
  private cancelTimer: CancelTimer | undefined;
  private known: string;
  private hasFailed = false;
  private state: 'idle' | 'running' | 'stopped' = 'idle';

  constructor(private readonly options: MemberSyncOptions) {
    this.known = JSON.stringify([[...options.hosts].sort(), []]);
  }

  /** Starts the timer; the first read comes one interval later. */
  start(): void {
    if (this.state !== 'idle') return;
    this.state = 'running';
    this.schedule();
  }

  stop(): void {
    this.state = 'stopped';
    this.cancelTimer?.();
  }

  private schedule(): void {
    const { clock, random, intervalMs, list } = this.options;
    if (this.state !== 'running') return;
    this.cancelTimer = clock.setTimer(intervalMs * (0.5 + random()), () => {
      list()
        .then(
          (found) => this.take(found),
          (error: unknown) => this.fail(error),
        )
        .finally(() => this.schedule());
    });
  }

  private take({ urls, ignored, learners }: ClientUrls): void {
    const { hosts, onMembers, onEvent } = this.options;
    this.hasFailed = false;
    const found = JSON.stringify([[...urls].sort(), [...ignored].sort()]);
    if (found === this.known || this.state === 'stopped') return;
    this.known = found;
    const last = hosts.filter((host) => !urls.includes(host) && !learners.includes(host));
    const all = [...urls, ...last];
    onMembers(all.length === 0 ? hosts : all);
    onEvent({ type: 'members-changed', members: urls, ignored });
  }

  private fail(error: unknown): void {
    const failure = toDiscoveryError('member list', error);
    // A read that fails because etcd is away is not reported: the requests that need etcd report that.
    if (failure.code !== 'REGISTRY_REJECTED' || this.hasFailed) return;
    this.hasFailed = true;
    this.options.onEvent({ type: 'members-unknown', error: failure });
  }
}
