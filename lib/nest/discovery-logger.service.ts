/**
 * Logs what happens in registration and discovery: one line per change of state, which says what the change
 * means and what the library does next.
 */
import { Inject, Injectable, Logger } from '@nestjs/common';
import type { Subscription } from 'rxjs';
import type { DiscoveryEvent } from '../core/discovery-event.js';
import { describeIgnored } from '../core/records/ignored-records.js';
import { printableText } from '../core/printable-text.js';
import { DirectoryPool } from '../registry/directory/directory-pool.js';

type Level = 'log' | 'warn' | 'debug';

/**
 * Writes the events of the registry and its directories to Nest's `Logger`, in the context `DiscoveryModule`.
 */
@Injectable()
export class DiscoveryLogger {
  private readonly logger = new Logger('DiscoveryModule');
  private readonly subscription: Subscription;

  constructor(@Inject(DirectoryPool) pool: DirectoryPool) {
    this.subscription = pool.events$.subscribe({
      next: (event) => this.write(event),
      // A user's own registry may end its events with an error: only this log ends then.
      error: (error: unknown) =>
        this.logger.warn(
          `The events of the registry ended with an error, and no more are logged: ${printableText(String(error))}`,
        ),
    });
  }

  stop(): void {
    this.subscription.unsubscribe();
  }

  private write(event: DiscoveryEvent): void {
    // A user's own registry may send events that cannot be described: they must not end the process.
    try {
      const [level, line] = describeEvent(event);
      this.logger[level](line);
    } catch (error) {
      this.logger.debug(`An event cannot be described: ${printableText(String(error))}`);
    }
  }
}

/** The log level and the line of an event. Control characters in keys and values are escaped. */
export function describeEvent(event: DiscoveryEvent): [Level, string] {
  const [level, line] = describe(event);
  return [level, printableText(line)];
}

function describe(event: DiscoveryEvent): [Level, string] {
  switch (event.type) {
    case 'registered':
      return ['log', `Registered ${clip(event.key)}; clients can find it.`];
    case 'deregistered':
      return ['log', `Took out ${clip(event.key)}; clients no longer find it.`];
    case 'record-taken-over':
      return ['log', `Replaced the record that an earlier process left at ${clip(event.key)}.`];
    case 'record-restored':
      return ['warn', `${clip(event.key)} was missing; it was written again.`];
    case 'conflict':
      return [
        'warn',
        `Another process wrote ${clip(event.key)} (${clip(event.foreignValue)}); two servers claim one address or key. This server writes its own record again, with growing delays.`,
      ];
    case 'lease-granted':
      return ['debug', `Lease ${event.leaseId} granted for ${event.ttlMs} ms.`];
    case 'lease-lost':
      return ['warn', `Lease ${event.leaseId} is gone; registering again under a new one.`];
    case 'record-refused':
      return [
        'warn',
        `${clip(event.key)} is refused (${clip(event.error.message, 500)}); ${nextAttempts(event)}.`,
      ];
    case 'lease-expired':
      return [
        'warn',
        `No renewal of lease ${event.leaseId} for longer than it lives; clients may no longer find this server. Attempts go on.`,
      ];
    case 'lease-unreachable':
      return [
        'warn',
        `${event.removalTtlMs === undefined ? 'Registration' : 'The removal of records'} is interrupted (${clip(event.error.message, 500)}); ${nextAttempts(event)}.`,
      ];
    case 'lease-left':
      return [
        'warn',
        `Lease ${event.leaseId} was not revoked before the end (${clip(event.error.message, 500)}); what is registered under it stays in etcd until its TTL of ${seconds(event.ttlMs)} is over.`,
      ];
    case 'lease-recovered':
      return ['log', `Registration goes on under lease ${event.leaseId}.`];
    case 'watch-synced':
      return ['log', `Watching ${event.prefix} from revision ${event.revision}.`];
    case 'watch-interrupted': {
      const { prefix, beforeFirstList, retryInMs } = event;
      const reason = clip(event.error.message, 500);
      const next = `Listing again in ${Math.round(retryInMs)} ms`;
      return [
        'warn',
        beforeFirstList === true
          ? `The watch on ${prefix} cannot begin (${reason}); no list has come yet. ${WITHOUT_LIST} ${next}.`
          : `The watch on ${prefix} is interrupted (${reason}); the last list stays in use. ${next}.`,
      ];
    }
    case 'registry-reset':
      return ['warn', `The registry behind ${event.prefix} was wiped or restored; listed anew.`];
    case 'record-ignored':
      return [
        'warn',
        `${event.count} ${event.count === 1 ? 'record' : 'records'} under ${clip(event.prefix)} ${describeIgnored(event)}; left out. The next line about this is written when there are ten times as many.`,
      ];
    case 'auth-unused':
      return [
        'warn',
        'etcd.auth is set, and the authentication of etcd is off; going on without a token. etcd.auth is used once it is on.',
      ];
    case 'members-changed':
      return describeMembers(event.members, event.ignored);
    case 'members-unknown':
      return [
        'warn',
        `etcd does not name its members (${clip(event.error.message, 500)}); those known stay in use. Asking again every etcd.syncIntervalMs.`,
      ];
    case 'endpoints-changed':
      return [
        'debug',
        `${event.service}: ${event.total} endpoints (+${event.added.length} −${event.removed.length}).`,
      ];
    case 'removals-held':
      return [
        'warn',
        `${event.service}: the registry no longer lists ${many(event.addresses)}, ${HOLD_REASONS[event.reason]}. They stay in use while their connections are ready, for a bounded time.`,
      ];
    case 'removals-released':
      return event.reason === 'listed'
        ? ['log', `${event.service}: the registry lists ${many(event.addresses)} again.`]
        : [
            'warn',
            `${event.service}: ${many(event.addresses)} no longer used: ${event.reason === 'expired' ? 'not registered again within the bound of removalGuard' : 'not registered and not connected'}.`,
          ];
    case 'snapshot-used':
      return [
        'warn',
        `${event.service}: the registry has not answered yet; using ${event.total} endpoints as of ${new Date(event.savedAt).toISOString()} from the snapshot file until it does.`,
      ];
    case 'service-config-ignored':
      return [
        'warn',
        `${event.service}: the published service config is not used: ${clip(event.reason)}. ${event.isFirst === true ? 'There was none before: the options of the clients apply' : 'The one before stays in use'}.`,
      ];
    case 'service-config-names-unknown':
      return [
        'warn',
        `${event.service}: the published service config names what is not in the proto of a client here: ${clip(event.names)}. The rest of it is used.`,
      ];
    case 'snapshot-failed':
      return [
        'warn',
        `Snapshot file ${event.file}: ${clip(event.reason, 500)}. Discovery goes on without it.`,
      ];
  }
}

/**
 * What follows a failed attempt to register or to remove a record. A removal is not tried again after the
 * close.
 */
function nextAttempts({ retryInMs, removalTtlMs }: Attempt): string {
  const next = `trying again in ${Math.round(retryInMs)} ms`;
  return removalTtlMs === undefined
    ? `${next} and until it succeeds`
    : `${next}, and no longer once the application has closed; what is still registered then stays in etcd until its TTL of ${seconds(removalTtlMs)} is over`;
}

interface Attempt {
  readonly retryInMs: number;
  readonly removalTtlMs?: number;
}

function seconds(durationMs: number): string {
  return `${Math.ceil(durationMs / 1_000)} s`;
}

/** What happens to the calls of a service before its first list has come. */
const WITHOUT_LIST =
  'Until one comes, calls fail, or wait with waitForReady, unless the snapshot file has a list.';

/** Why removals are held: the end of a clause in the log line. */
const HOLD_REASONS = {
  'registry-returned': 'just after it was away',
  'many-at-once': 'which are many at once',
  'list-emptied': 'and lists no other endpoint',
} as const;

function describeMembers(members: readonly string[], ignored: readonly string[]): [Level, string] {
  const used =
    members.length === 0
      ? 'etcd names no member that can be dialled; etcd.hosts stay in use'
      : `The members of etcd are ${clip(many(members), 500)}`;
  if (ignored.length === 0) return ['log', `${used}.`];
  const left = clip(many(ignored), 500);
  return ['warn', `${used}. Left out, since etcd.hosts are of another scheme: ${left}.`];
}

function many(addresses: readonly string[]): string {
  const shown = addresses.slice(0, 5).join(', ');
  return addresses.length > 5 ? `${shown} and ${addresses.length - 5} more` : shown;
}

/** Keys and values come from other programs and may be as long as etcd accepts; a log line stays short. */
function clip(text: string, length = 200): string {
  return text.length > length ? `${text.slice(0, length)}…` : text;
}
