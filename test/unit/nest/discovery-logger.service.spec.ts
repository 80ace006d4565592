import { Logger } from '@nestjs/common';
import { Subject } from 'rxjs';
import { afterEach, expect, it, vi } from 'vitest';
import { DiscoveryError } from '../../../lib/core/discovery-error.js';
import type { DiscoveryEvent } from '../../../lib/core/discovery-event.js';
import { describeEvent, DiscoveryLogger } from '../../../lib/nest/discovery-logger.service.js';
import { DirectoryPool } from '../../../lib/registry/directory/directory-pool.js';
import { MemoryRegistry } from '../../../lib/registry/memory-registry.js';
import { systemClock } from '../../../lib/registry/system-clock.js';
import { EVENTS } from './every-event.js';

/** The level of the line of each event, and texts that the line must contain. */
const LINES: { readonly [Type in DiscoveryEvent['type']]: readonly [string, ...string[]] } = {
  'lease-granted': ['debug', '7587', '10000 ms'],
  'lease-lost': ['warn', '7587', 'registering again'],
  registered: ['log', 'api/h:1', 'clients can find it'],
  'record-taken-over': ['log', 'api/h:1', 'earlier process'],
  'record-restored': ['warn', 'api/h:1', 'missing', 'written again'],
  conflict: ['warn', 'api/h:1', '(theirs)', 'two servers claim one address', 'growing delays'],
  'lease-unreachable': ['warn', 'no connection', 'again in 123 ms', 'until it succeeds'],
  'lease-left': ['warn', '7587', 'not revoked', 'no connection', 'until its TTL of 10 s is over'],
  'record-refused': ['warn', 'api/h:1', 'no connection', 'again in 123 ms', 'until it succeeds'],
  'lease-expired': ['warn', '7587', 'no longer find this server', 'Attempts go on'],
  'lease-recovered': ['log', '7587', 'goes on'],
  deregistered: ['log', 'api/h:1', 'no longer find it'],
  'watch-synced': ['log', 'api/', 'revision 41'],
  'watch-interrupted': ['warn', 'api/', 'no connection', 'last list stays in use', 'in 100 ms'],
  'registry-reset': ['warn', 'api/', 'wiped or restored', 'listed anew'],
  'record-ignored': [
    'warn',
    '3 records under api/ have no dialable address, e.g. api/x: Addr "127.0.0.1" has no port',
    'left out',
  ],
  'auth-unused': ['warn', 'authentication of etcd is off', 'going on without', 'used once'],
  'members-changed': [
    'warn',
    'are https://a:2379, https://b:2379',
    'another scheme: http://c:2379',
  ],
  'members-unknown': ['warn', 'no connection', 'stay in use', 'every etcd.syncIntervalMs'],
  'endpoints-changed': ['debug', 'api', '5 endpoints', '+2', '−1'],
  'service-config-ignored': ['warn', 'api', 'it is not JSON', 'before stays in use'],
  'service-config-names-unknown': ['warn', 'api', 'did you mean Find?', 'The rest of it is used'],
  'removals-held': ['warn', 'api', 'h:1, h:2, h:3, h:4, h:5 and 2 more', 'at once', 'stay in use'],
  'removals-released': ['warn', 'api', 'h:1', 'no longer used', 'removalGuard'],
  'snapshot-used': ['warn', 'api', '3 endpoints', '1970-01-01T00:00:00.000Z', 'until it does'],
  'snapshot-failed': ['warn', '/s.json', 'it is ignored (x)', 'goes on without it'],
};

afterEach(() => {
  vi.restoreAllMocks();
});

it.each(Object.values(EVENTS))(
  'the event $type becomes one log line that says what happened and what comes next',
  (event) => {
    const [level, line] = describeEvent(event);
    const [expectedLevel, ...parts] = LINES[event.type];
    expect(level).toBe(expectedLevel);
    expect(line).toMatch(/^[^\n]+\.$/);
    for (const part of parts) expect(line).toContain(part);
  },
);

it("a change of etcd's members is logged as a warning only if members were left out", () => {
  const changed = EVENTS['members-changed'];
  expect(describeEvent({ ...changed, ignored: [] })).toEqual([
    'log',
    'The members of etcd are https://a:2379, https://b:2379.',
  ]);
  const [level, line] = describeEvent({ ...changed, members: [] });
  expect(level).toBe('warn');
  expect(line).toContain('etcd.hosts stay in use');
});

it.each(['lease-unreachable', 'record-refused'] as const)(
  'the line of %s about a removal does not promise attempts after the close',
  (type) => {
    const [, line] = describeEvent({ ...EVENTS[type], removalTtlMs: 9_500 });
    expect(line).toContain(
      'trying again in 123 ms, and no longer once the application has closed; what is still registered then stays in etcd until its TTL of 10 s is over.',
    );
    expect(line).not.toContain('until it succeeds');
  },
);

it('the line of an interrupted watch says so if no list has come yet', () => {
  const [level, line] = describeEvent({ ...EVENTS['watch-interrupted'], beforeFirstList: true });
  expect(level).toBe('warn');
  expect(line).toBe(
    'The watch on api/ cannot begin ([REGISTRY_UNAVAILABLE] etcd list failed: no connection); no list has come yet. Until one comes, calls fail, or wait with waitForReady, unless the snapshot file has a list. Listing again in 100 ms.',
  );
});

it('the line of a rejected service config names what applies instead: the last service config, or the options of the clients', () => {
  const ignored = EVENTS['service-config-ignored'];
  const [, line] = describeEvent({ ...ignored, isFirst: true });
  expect(line).toBe(
    'api: the published service config is not used: it is not JSON. There was none before: the options of the clients apply.',
  );
});

it('a log line cuts a long foreign value', () => {
  const [, line] = describeEvent({ ...EVENTS.conflict, foreignValue: 'x'.repeat(5_000) });
  expect(line.length).toBeLessThan(400);
  expect(line).toContain(`${'x'.repeat(200)}…`);
});

const failed = (message: string): { error: DiscoveryError } => ({
  error: new DiscoveryError('REGISTRY_REJECTED', message.slice('[REGISTRY_REJECTED] '.length)),
});

/** The events with a text of others, how much of it a line shows at most, and an event with such a text. */
const LIMITS: readonly (readonly [string, number, (text: string) => DiscoveryEvent])[] = [
  ['registered', 200, (key) => ({ ...EVENTS.registered, key })],
  ['deregistered', 200, (key) => ({ ...EVENTS.deregistered, key })],
  ['record-taken-over', 200, (key) => ({ ...EVENTS['record-taken-over'], key })],
  ['record-restored', 200, (key) => ({ ...EVENTS['record-restored'], key })],
  ['conflict', 200, (key) => ({ ...EVENTS.conflict, key })],
  ['conflict: value', 200, (foreignValue) => ({ ...EVENTS.conflict, foreignValue })],
  ['record-refused', 200, (key) => ({ ...EVENTS['record-refused'], key })],
  ['record-refused: error', 500, (text) => ({ ...EVENTS['record-refused'], ...failed(text) })],
  ['lease-unreachable', 500, (text) => ({ ...EVENTS['lease-unreachable'], ...failed(text) })],
  ['lease-left', 500, (text) => ({ ...EVENTS['lease-left'], ...failed(text) })],
  ['watch-interrupted', 500, (text) => ({ ...EVENTS['watch-interrupted'], ...failed(text) })],
  ['members-unknown', 500, (text) => ({ ...EVENTS['members-unknown'], ...failed(text) })],
  ['record-ignored', 200, (prefix) => ({ ...EVENTS['record-ignored'], prefix })],
  ['members-changed', 500, (text) => ({ ...EVENTS['members-changed'], members: [text] })],
  ['members-changed: left out', 500, (text) => ({ ...EVENTS['members-changed'], ignored: [text] })],
  ['service-config-ignored', 200, (reason) => ({ ...EVENTS['service-config-ignored'], reason })],
  [
    'service-config-names-unknown',
    200,
    (names) => ({ ...EVENTS['service-config-names-unknown'], names }),
  ],
  ['snapshot-failed', 500, (reason) => ({ ...EVENTS['snapshot-failed'], reason })],
];

it.each(LIMITS)('the line of %s shows the first %d characters of a text', (_, limit, eventWith) => {
  const text = '[REGISTRY_REJECTED] '.padEnd(limit, 'x');
  const [, whole] = describeEvent(eventWith(text));
  expect(whole).toContain(text);
  expect(whole).not.toContain('…');
  const [, cut] = describeEvent(eventWith(`${text}y`));
  expect(cut).toContain(`${text}…`);
});

it('the line of an interrupted registration says what is interrupted: the registration, or the removal of records', () => {
  const event = EVENTS['lease-unreachable'];
  expect(describeEvent(event)[1]).toMatch(/^Registration is interrupted \(/);
  expect(describeEvent({ ...event, removalTtlMs: 1 })[1]).toMatch(
    /^The removal of records is interrupted \(/,
  );
});

it('the line of ignored records counts them', () => {
  const ignored = EVENTS['record-ignored'];
  expect(describeEvent({ ...ignored, count: 1 })[1]).toMatch(/^1 record under api\/ /);
  expect(describeEvent({ ...ignored, count: 2 })[1]).toMatch(/^2 records under api\/ /);
});

it.each([
  [5, 'h:1, h:2, h:3, h:4, h:5,'],
  [6, 'h:1, h:2, h:3, h:4, h:5 and 1 more,'],
])('the line of %d held removals names five addresses at most', (count, names) => {
  const addresses = Array.from({ length: count }, (_, at) => `h:${at + 1}`);
  const [, line] = describeEvent({ ...EVENTS['removals-held'], addresses });
  expect(line).toContain(`api: the registry no longer lists ${names}`);
});

it.each([
  ['registry-returned', 'just after it was away'],
  ['many-at-once', 'which are many at once'],
  ['list-emptied', 'and lists no other endpoint'],
] as const)('the line of held removals gives the reason %s in words', (reason, words) => {
  const [, line] = describeEvent({ ...EVENTS['removals-held'], reason });
  expect(line).toContain(`${words}. They stay in use`);
});

it.each([
  ['listed', 'log', 'api: the registry lists h:1 again.'],
  [
    'expired',
    'warn',
    'api: h:1 no longer used: not registered again within the bound of removalGuard.',
  ],
  ['disconnected', 'warn', 'api: h:1 no longer used: not registered and not connected.'],
] as const)('the line of released removals with the reason %s is a %s', (reason, level, line) => {
  expect(describeEvent({ ...EVENTS['removals-released'], reason })).toEqual([level, line]);
});

it.each(Object.values(EVENTS))(
  'the event $type becomes one log line even if keys and values contain line breaks',
  (event) => {
    const bad = 'x\n[Nest] LOG [Auth] root logged in\r\u001b[2J\u009b\u2028';
    const error = new DiscoveryError('REGISTRY_REJECTED', bad);
    const fields = Object.entries(event).map(([name, value]) => {
      if (value instanceof Error) return [name, error];
      if (Array.isArray(value)) return [name, [bad]];
      const isFree = typeof value === 'string' && !['type', 'kind'].includes(name);
      return [name, isFree ? bad : value];
    });
    const [, line] = describeEvent(Object.fromEntries(fields) as DiscoveryEvent);
    expect(line).not.toMatch(/[\p{Cc}\p{Zl}\p{Zp}]/u);
  },
);

it.each(Object.values(EVENTS))(
  'the event $type becomes a short log line even if keys and values are long',
  (event) => {
    const long = 'x'.repeat(1_000_000);
    const error = new DiscoveryError('REGISTRY_REJECTED', long);
    const given: object = {
      key: long,
      reason: long,
      foreignValue: long,
      previousValue: long,
      error,
    };
    const fields = Object.entries(given).filter(([name]) => name in event);
    const [, line] = describeEvent({ ...event, ...Object.fromEntries(fields) } as DiscoveryEvent);
    expect(line.length).toBeLessThan(1_000);
  },
);

it("DiscoveryLogger writes events to Nest's logger, each at the level of the event, until it is stopped", () => {
  const events = new Subject<DiscoveryEvent>();
  class EventfulRegistry extends MemoryRegistry {
    override get events$() {
      return events.asObservable();
    }
  }
  const lines: string[] = [];
  for (const level of ['log', 'warn', 'debug'] as const) {
    vi.spyOn(Logger.prototype, level).mockImplementation((message: unknown) => {
      lines.push(`${level}: ${String(message)}`);
    });
  }
  const logger = new DiscoveryLogger(
    new DirectoryPool(new EventfulRegistry(), { clock: systemClock }),
  );
  events.next(EVENTS.registered);
  events.next(EVENTS['lease-lost']);
  events.next(EVENTS['lease-granted']);
  expect(lines.map((line) => line.slice(0, line.indexOf(':')))).toEqual(['log', 'warn', 'debug']);
  logger.stop();
  events.next(EVENTS.registered);
  expect(lines).toHaveLength(3);
});

it('a registry whose events fail or cannot be described does not end the process', () => {
  const events = new Subject<DiscoveryEvent>();
  class EventfulRegistry extends MemoryRegistry {
    override get events$() {
      return events.asObservable();
    }
  }
  const lines: string[] = [];
  for (const level of ['warn', 'debug', 'log'] as const) {
    vi.spyOn(Logger.prototype, level).mockImplementation((line: unknown) => {
      lines.push(String(line));
    });
  }
  void new DiscoveryLogger(new DirectoryPool(new EventfulRegistry(), { clock: systemClock }));
  events.next({ type: 'of my own' } as unknown as DiscoveryEvent);
  events.next({ ...EVENTS['snapshot-used'], savedAt: Number.NaN });
  events.next(EVENTS.registered);
  events.error(new Error('broken\nevents'));
  expect(lines).toEqual([
    expect.stringContaining('An event cannot be described'),
    expect.stringContaining('An event cannot be described'),
    expect.stringContaining('Registered api/h:1'),
    String.raw`The events of the registry ended with an error, and no more are logged: Error: broken\nevents`,
  ]);
});
