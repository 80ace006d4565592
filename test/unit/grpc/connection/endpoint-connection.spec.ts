/** One connection: its transitions, its deadline, its replacement, and its new start for another process. */
import { readFileSync } from 'node:fs';
import { beforeEach, describe, expect, it } from 'vitest';
import { ReadEndpointFacts } from '../../../../lib/balance/candidate.js';
import { EndpointLoad } from '../../../../lib/balance/load/endpoint-load.js';
import { FleetLoad } from '../../../../lib/balance/load/fleet-load.js';
import {
  type ConnectionState,
  EndpointConnection,
} from '../../../../lib/grpc/connection/endpoint-connection.js';
import type { TransportState } from '../../../../lib/grpc/connection/transport.js';
import { FakeClock } from '../../../../lib/testing/fake-clock.js';
import { seededRandom } from '../../../support/seeded-random.js';
import { FakeTransport } from './fake-transport.js';

const ADDRESS = '10.0.0.1:1';
const TIMEOUT_MS = 5_000;
const AGE_MS = 60_000;
const SERVING = 1;
const NOT_SERVING = 2;

let clock: FakeClock;
let made: FakeTransport[];
let attempts: number[];
let states: ConnectionState[];
let connection: EndpointConnection;
/** How the transports that are made next behave. */
let next: { state: TransportState; canBreakOff: boolean };

const facts = (incarnation = '1', maxConnectionAgeMs?: number) =>
  new ReadEndpointFacts({
    address: ADDRESS,
    metadata: null,
    incarnation,
    ...(maxConnectionAgeMs === undefined ? {} : { discovery: { maxConnectionAgeMs } }),
  });

const settings = (healthService?: string, connectTimeoutMs = TIMEOUT_MS) => ({
  connectTimeoutMs,
  healthService,
  latency: undefined,
});

function begin(healthService?: string, maxConnectionAgeMs?: number): void {
  clock = new FakeClock();
  made = [];
  attempts = [];
  states = [];
  next = { state: 'idle', canBreakOff: true };
  connection = new EndpointConnection(facts('1', maxConnectionAgeMs), settings(healthService), {
    clock,
    random: seededRandom(1),
    dial: (_endpoint, attempt) => {
      const transport = new FakeTransport(next.state, next.canBreakOff);
      made.push(transport);
      attempts.push(attempt);
      return transport;
    },
    createLoad: (latency) => new EndpointLoad(new FleetLoad(), latency),
    onChange: ({ state }) => states.push(state),
  });
}

const current = (): FakeTransport => {
  const transport = made.at(-1);
  if (transport === undefined) throw new Error('no transport was made');
  return transport;
};

beforeEach(() => begin());

/** Brings the connection to `connecting` with a connected transport whose health is not known yet. */
const unanswered = (): void => {
  connection.connect();
  current().become('ready');
};
const unhealthy = (): void => {
  unanswered();
  current().health?.onAnswer(NOT_SERVING);
};
const abandoned = (): void => {
  next.canBreakOff = false;
  connection.connect();
  clock.advance(TIMEOUT_MS);
};

describe('the table of transitions of a connection', () => {
  const STATES = ['idle', 'connecting', 'ready', 'failed'] as const;

  /** Brings a connection into each state, without and with a health check. */
  const reach: Readonly<Record<ConnectionState, (hasHealth: boolean) => void>> = {
    idle: (hasHealth) => {
      reach.ready(hasHealth);
      current().become('idle');
    },
    connecting: () => connection.connect(),
    ready: (hasHealth) => {
      connection.connect();
      current().become('ready');
      if (hasHealth) current().health?.onAnswer(SERVING);
    },
    failed: () => {
      connection.connect();
      current().become('failed', 'refused');
    },
  };

  /** Each event, and how its state before is reached if `reach` is not enough. */
  const EVENTS: Readonly<
    Record<
      string,
      {
        readonly health?: true;
        readonly ageMs?: number;
        readonly from?: { readonly [State in ConnectionState]?: () => void };
        act(): void;
      }
    >
  > = {
    'connect()': { act: () => connection.connect() },
    'connect(), connected by another channel': {
      from: { idle: () => {}, failed: abandoned },
      act: () => {
        next.state = 'ready';
        connection.connect();
      },
    },
    'the transport begins an attempt': { act: () => current().become('connecting') },
    'the transport is ready, no health check': { act: () => current().become('ready') },
    'the transport is ready, health check': {
      health: true,
      act: () => current().become('ready'),
    },
    'health: serving, or not implemented': {
      health: true,
      from: { connecting: unanswered, failed: unhealthy },
      act: () => current().health?.onAnswer(SERVING),
    },
    'health: not serving, or the watch broke': {
      health: true,
      from: { connecting: unanswered, failed: unhealthy },
      act: () => current().health?.onAnswer(NOT_SERVING),
    },
    'the attempt failed': { act: () => current().become('failed', 'refused') },
    'the deadline passed, attempt broken off': {
      from: {
        failed: () => {
          reach.failed(false);
          current().become('connecting');
        },
      },
      act: () => clock.advance(TIMEOUT_MS),
    },
    'the deadline passed, attempt abandoned': {
      from: {
        connecting: () => {
          next.canBreakOff = false;
          connection.connect();
        },
        failed: () => {
          next.canBreakOff = false;
          reach.failed(false);
          current().become('connecting');
        },
      },
      act: () => clock.advance(TIMEOUT_MS),
    },
    'the transport was lost, or may retry': { act: () => current().become('idle') },
    'a replacement is ready, no health check': {
      ageMs: AGE_MS,
      act: () => {
        clock.advance(AGE_MS);
        current().become('ready');
      },
    },
    'a replacement is ready, health check': {
      health: true,
      ageMs: AGE_MS,
      from: { connecting: unanswered, failed: unhealthy },
      act: () => {
        clock.advance(AGE_MS);
        current().become('ready');
      },
    },
    'another process is registered': { act: () => connection.update(facts('2')) },
    'the health service changes': {
      health: true,
      from: { connecting: unanswered, failed: unhealthy },
      act: () => connection.configure(settings('other')),
    },
    'the health check ends': {
      health: true,
      from: { connecting: unanswered, failed: unhealthy },
      act: () => connection.configure(settings()),
    },
    'disconnect()': { act: () => connection.disconnect() },
  };

  /** The cells of the rows of a Markdown table, from the first column on. */
  function cells(text: string, row: RegExp): string[][] {
    return text
      .split('\n')
      .filter((line) => row.test(line))
      .map((line) =>
        line
          .slice(line.indexOf('|') + 1)
          .split('|')
          .slice(0, STATES.length + 1)
          .map((cell) => cell.trim()),
      );
  }

  const root = new URL('../../../../', import.meta.url);
  const source = readFileSync(new URL('lib/grpc/connection/endpoint-connection.ts', root), 'utf8');
  const head = cells(source.slice(0, source.indexOf('*/')), /^ \* \| (?!event|-)/);

  it('has a row for every event', () => {
    expect(head.map(([event]) => event)).toEqual(Object.keys(EVENTS));
  });

  const ROWS = head.flatMap(([event = '', ...after]) =>
    STATES.flatMap((state, at) => {
      const expected = after[at] ?? '';
      return expected === '' ? [] : [{ event, state, expected }];
    }),
  );

  it.each(ROWS)(
    'leads from $state to $expected at the event: $event',
    ({ event, state, expected }) => {
      const { health, ageMs, from, act } = EVENTS[event]!;
      begin(health === true ? 'service' : undefined, ageMs);
      (from?.[state] ?? (() => reach[state](health === true)))();
      expect(connection.state).toBe(state);
      act();
      expect(connection.state).toBe(expected);
    },
  );

  it('is the same as in docs/architecture.md', () => {
    const document = readFileSync(new URL('docs/architecture.md', root), 'utf8');
    const [, section = ''] = document.split('\n## The states of a connection\n');
    const documented = cells(section.split('\n## ')[0]!, /^\| (?!event|-)/);
    expect(documented.map(([event]) => event?.replaceAll('`', ''))).toEqual(
      head.map(([event]) => event),
    );
    const after = documented.map((row) =>
      row.slice(1).map((cell, column) => {
        const moved = /^→ `(\w+)`/.exec(cell)?.[1];
        if (moved !== undefined) return moved;
        return cell === '–' ? '' : STATES[column];
      }),
    );
    expect(after).toEqual(head.map(([, ...row]) => row));
  });

  it.each(STATES)(
    'does not apply after close() in the state %s: the connection reports nothing more',
    (state) => {
      reach[state](false);
      const reported = states.length;
      connection.close();
      expect(made.every(({ isReleased }) => isReleased)).toBe(true);
      expect(clock.pendingTimers).toBe(0);
      current().become('ready');
      expect(states).toHaveLength(reported);
    },
  );
});

it('a connection that is closed reports nothing, even if it is used once more', () => {
  connection.close();
  connection.connect();
  expect(states).toEqual([]);
});

it('a connection reports each change of its state once', () => {
  connection.connect();
  current().become('failed', 'refused');
  current().become('connecting');
  current().become('ready');
  current().become('idle');
  expect(states).toEqual(['connecting', 'failed', 'ready', 'idle']);
});

it('a connection whose attempt was refused tries again by itself', () => {
  connection.connect();
  const { connects } = current();
  current().become('failed', 'refused');
  expect(current().connects).toBe(connects + 1);
  expect(connection.lastError).toBe('refused');
});

it('a connection whose transport another channel has connected starts no deadline', () => {
  next.state = 'ready';
  connection.connect();
  expect(states).toEqual(['ready']);
  expect(clock.pendingTimers).toBe(0);
});

it('a connection has a deadline for an attempt that another channel has begun', () => {
  next.state = 'connecting';
  connection.connect();
  clock.advance(TIMEOUT_MS);
  expect(current().brokenOff).toBe(1);
});

it('a connection ends the backoff that another channel has caused', () => {
  next.state = 'failed';
  connection.connect();
  expect(current().backoffResets).toBe(1);
});

it('the deadline breaks off an attempt without an answer, and the transport retries', () => {
  connection.connect();
  clock.advance(TIMEOUT_MS - 1);
  expect(current().brokenOff).toBe(0);
  clock.advance(1);
  expect(current().brokenOff).toBe(1);
  current().become('failed', 'Failed to connect');
  expect(connection.lastError).toBe(`no HTTP/2 answer from ${ADDRESS} within 5000 ms`);
  current().become('connecting');
  current().become('failed', 'refused');
  expect(connection.lastError).toBe('refused');
  expect(made).toHaveLength(1);
});

it('if the deadline cannot break an attempt off, the connection is `failed` until another transport is ready', () => {
  next.canBreakOff = false;
  connection.connect();
  clock.advance(TIMEOUT_MS);
  expect(states).toEqual(['connecting', 'failed']);
  expect(current().isReleased).toBe(true);
  clock.advance(1_000);
  expect(attempts).toEqual([0, 1]);
  expect(states).toEqual(['connecting', 'failed']);
  current().become('ready');
  expect(connection.state).toBe('ready');
});

it('the delay after an abandoned attempt is at most 1 s again once an attempt has succeeded', () => {
  next.canBreakOff = false;
  connection.connect();
  for (let turn = 0; turn < 6; turn++) {
    clock.advance(TIMEOUT_MS);
    clock.advance(clock.nextTimerMs ?? 0);
  }
  current().become('ready');
  current().become('idle');
  connection.connect();
  clock.advance(TIMEOUT_MS);
  expect(clock.nextTimerMs).toBeLessThanOrEqual(1_000);
});

it('an attempt that ends without a connection or an error leaves no deadline', () => {
  connection.connect();
  current().become('idle');
  expect([connection.state, clock.pendingTimers]).toEqual(['idle', 0]);
});

it('the deadline holds for a retry as well', () => {
  connection.connect();
  current().become('failed', 'refused');
  expect(clock.pendingTimers).toBe(0);
  current().become('connecting');
  clock.advance(TIMEOUT_MS);
  expect(current().brokenOff).toBe(1);
});

it('the deadline follows the last settings of the connection', () => {
  connection.configure(settings(undefined, 1_000));
  connection.connect();
  clock.advance(1_000);
  current().become('failed');
  expect(connection.lastError).toBe(`no HTTP/2 answer from ${ADDRESS} within 1000 ms`);
});

describe('a record of another process at the address', () => {
  it('makes a failed connection forget statistics and age, and try again at once', () => {
    connection.connect();
    current().become('failed', 'refused');
    clock.advance(3_000);
    const { load } = connection;
    connection.update(facts('2'));
    expect(connection.load).not.toBe(load);
    expect(connection.joinedMs).toBe(3_000);
    expect(current().backoffResets).toBe(1);
    expect(connection.state).toBe('connecting');
  });

  it('makes a connection that waits after an abandoned attempt try again at once, and only once', () => {
    next.canBreakOff = false;
    connection.connect();
    clock.advance(TIMEOUT_MS);
    connection.update(facts('2'));
    expect(made).toHaveLength(2);
    expect(connection.state).toBe('connecting');
    expect(clock.pendingTimers).toBe(1);
  });

  it('leaves a connection that is ready alone; its statistics start anew when it is lost', () => {
    connection.connect();
    current().become('ready');
    const { load } = connection;
    connection.update(facts('2'));
    expect(connection.load).toBe(load);
    expect(made).toHaveLength(1);
    current().become('idle');
    const anew = connection.load;
    expect(anew).not.toBe(load);
    connection.connect();
    current().become('ready');
    expect(connection.load).toBe(anew);
  });

  it('makes the delay after an abandoned attempt begin anew', () => {
    next.canBreakOff = false;
    connection.connect();
    for (let turn = 0; turn < 6; turn++) {
      clock.advance(TIMEOUT_MS);
      clock.advance(clock.nextTimerMs ?? 0);
    }
    connection.update(facts('2'));
    clock.advance(TIMEOUT_MS);
    expect(clock.nextTimerMs).toBeLessThanOrEqual(1_000);
  });
});

it('a new record of the same process at the address does not change the statistics of the endpoint', () => {
  const { load } = connection;
  connection.update(facts('1', AGE_MS));
  expect(connection.load).toBe(load);
  expect(connection.endpoint.discovery).toEqual({ maxConnectionAgeMs: AGE_MS });
});

describe('a replacement of the transport', () => {
  it('is dialled at 40 to 60 % of the age at which the server ends connections, and used once it is ready', () => {
    begin(undefined, AGE_MS);
    connection.connect();
    const first = current();
    first.become('ready');
    expect(clock.nextTimerMs).toBeGreaterThanOrEqual(0.4 * AGE_MS);
    expect(clock.nextTimerMs).toBeLessThanOrEqual(0.6 * AGE_MS);
    clock.advance(0.6 * AGE_MS);
    expect(attempts).toEqual([0, 1]);
    expect(connection.transport).toBe(first);
    current().become('ready');
    expect(connection.transport).toBe(current());
    expect(first.isReleased).toBe(true);
    expect(states).toEqual(['connecting', 'ready']);
  });

  it('is released when the connection is lost', () => {
    begin(undefined, AGE_MS);
    connection.connect();
    const first = current();
    first.become('ready');
    clock.advance(0.6 * AGE_MS);
    first.become('idle');
    expect(current().isReleased).toBe(true);
    expect(clock.pendingTimers).toBe(0);
  });
});

describe('the health of a server', () => {
  beforeEach(() => {
    begin('service');
    connection.connect();
    current().become('ready');
  });

  it('is checked on the connection, for the service that the settings name', () => {
    expect(current().health?.service).toBe('service');
    connection.configure(settings('other'));
    expect(current().health?.service).toBe('other');
  });

  it('is not checked anew when other settings change', () => {
    const { health } = current();
    connection.configure(settings('service', 1_000));
    expect(current().health).toBe(health);
  });

  it('becomes the last error of the connection if it is bad', () => {
    current().health?.onAnswer(NOT_SERVING);
    expect(connection.lastError).toBe("the server's health status is 2");
  });

  it('is good if the server has no health service', () => {
    current().health?.onEnd('UNIMPLEMENTED', '');
    expect(connection.state).toBe('ready');
    expect(clock.pendingTimers).toBe(0);
  });

  it('is checked again, with growing delays, after the watch has broken', () => {
    current().health?.onAnswer(SERVING);
    const delays: (number | undefined)[] = [];
    for (let turn = 0; turn < 10; turn++) {
      current().health?.onEnd('UNAVAILABLE', 'gone');
      delays.push(clock.nextTimerMs);
      clock.advance(clock.nextTimerMs ?? 0);
    }
    expect(connection.lastError).toBe('the health watch ended with UNAVAILABLE: gone');
    expect(delays.every((delay) => delay !== undefined && delay >= 200 && delay <= 120_000)).toBe(
      true,
    );
    expect(Math.max(...delays.map((delay) => delay ?? 0))).toBeGreaterThan(2_000);
    current().health?.onAnswer(SERVING);
    current().health?.onEnd('UNAVAILABLE', 'gone');
    expect(clock.nextTimerMs).toBeLessThanOrEqual(1_000);
  });

  it('is not checked anew by connect()', () => {
    current().health?.onAnswer(SERVING);
    const { health } = current();
    connection.connect();
    expect(current().health).toBe(health);
    expect(connection.state).toBe('ready');
  });

  it('is checked again by connect() if another channel has connected the lost transport', () => {
    current().health?.onAnswer(SERVING);
    current().become('idle');
    current().state = 'ready';
    connection.connect();
    expect(current().health?.service).toBe('service');
  });

  it('is not checked any more once the connection is lost', () => {
    current().become('idle');
    expect(current().health).toBeUndefined();
    expect(clock.pendingTimers).toBe(0);
  });
});
