/** Servers and clients of Nest and of Go, which are started alike and report the same events. */
import { startApp } from '../support/child-app.js';
import type { EventProcess, ProcessEvent } from '../support/event-process.js';
import { type GoFlags, runGo, startGo } from './go-program.js';

/** The implementation of a server or client. */
export type Side = 'nest' | 'go';

/** Both implementations, for `it.each`. */
export const sides: readonly Side[] = ['nest', 'go'];

export interface ServerOptions {
  /** The name with which the server answers. */
  readonly id: string;
  readonly ttlSeconds?: number;
  /** The port on 127.0.0.1; a free one by default. */
  readonly port?: number;
  /** Nest only: further fields of the `service` option. */
  readonly serviceOptions?: Readonly<Record<string, unknown>>;
  /** Go only: further flags of the server. */
  readonly goFlags?: GoFlags;
  /** Nest only: further settings of the app. */
  readonly settings?: Readonly<Record<string, string>>;
}

export interface ClientOptions {
  readonly calls?: number;
  readonly concurrency?: number;
  /** Whether the client calls until it is stopped, with a `tick` event every 100 ms. */
  readonly forever?: boolean;
  /** How many servers must have answered before the counting starts. */
  readonly warm?: number;
  /** The method to call; only `find` is declared idempotent. Default `login`. */
  readonly method?: 'login' | 'find' | 'watch';
  /** How long a call takes at the server, in milliseconds. Default 0. */
  readonly holdMs?: number;
  /** Pause between two calls with `forever`, in milliseconds. Default 5. */
  readonly intervalMs?: number;
  /** Deadline of a call, in milliseconds. Default 5,000. */
  readonly timeoutMs?: number;
  readonly policy?: string;
  /** Go only: flags to retry `find` and to send pings, which Go users must configure themselves. */
  readonly goFlags?: GoFlags;
  /** Nest only: further fields of the client's definition. */
  readonly clientOptions?: Readonly<Record<string, unknown>>;
}

/** The counts in the events of a client. */
export interface Tally {
  readonly calls: number;
  readonly failed: number;
  readonly byServer: Readonly<Record<string, number>>;
  readonly byCode: Readonly<Record<string, number>>;
  /** The wall-clock time of the last failed call. */
  readonly lastFailureMs?: number;
  /** The wall-clock time of the last answer that followed a failed call. */
  readonly recoveredMs?: number;
  /** Failed calls that were begun after the first failure of all; Nest only. */
  readonly lateFailures?: number;
}

/** A record with its bytes as they are in etcd. */
export interface RawRecord {
  readonly key: string;
  readonly value: string;
  readonly lease: string;
}

/** Starts a server and waits until its record is in etcd. */
export async function startServer(
  side: Side,
  etcd: string,
  service: string,
  options: ServerOptions,
): Promise<EventProcess> {
  const { id, ttlSeconds = 10, port = 0, serviceOptions = {}, settings = {} } = options;
  const url = `127.0.0.1:${port}`;
  if (side === 'go') {
    const flags: GoFlags = { id, ttl: ttlSeconds, addr: url, ...options.goFlags };
    const server = await startGo('server', etcd, service, flags);
    await server.waitForEvent('registered');
    return server;
  }
  const server = await startApp('api-server', {
    ETCD_HOSTS: etcd,
    SERVICE: service,
    SERVER_ID: id,
    TTL_SECONDS: String(ttlSeconds),
    SERVICE_OPTIONS: JSON.stringify(serviceOptions),
    URL: url,
    ...settings,
  });
  await server.waitForEvent('listening');
  return server;
}

/** Starts a client over `etcd:///SERVICE` with round_robin. */
export async function startClient(
  side: Side,
  etcd: string,
  service: string,
  options: ClientOptions,
): Promise<EventProcess> {
  const { calls = 1, concurrency = 1, forever = false, warm = 0 } = options;
  const { method = 'login', holdMs = 0, intervalMs = 5, timeoutMs = 5_000 } = options;
  const { policy = 'round_robin', goFlags = {}, clientOptions = {} } = options;
  if (side === 'go') {
    return startGo('client', etcd, service, {
      calls,
      concurrency,
      warm,
      method,
      policy,
      'hold-ms': holdMs,
      'interval-ms': intervalMs,
      'timeout-ms': timeoutMs,
      ...(forever ? { forever: true } : {}),
      ...goFlags,
    });
  }
  return startApp('api-client', {
    ETCD_HOSTS: etcd,
    SERVICE: service,
    CALLS: String(calls),
    CONCURRENCY: String(concurrency),
    WARM: String(warm),
    FOREVER: forever ? '1' : '0',
    METHOD: method,
    HOLD_MS: String(holdMs),
    INTERVAL_MS: String(intervalMs),
    TIMEOUT_MS: String(timeoutMs),
    POLICY: policy,
    CLIENT_OPTIONS: JSON.stringify(clientOptions),
  });
}

/** Makes calls over `etcd:///SERVICE` and resolves with their tally once the client has ended by itself. */
export async function callThrough(
  side: Side,
  etcd: string,
  service: string,
  options: ClientOptions,
): Promise<Tally> {
  const client = await startClient(side, etcd, service, options);
  return finalTally(client);
}

/** Waits until a client has ended by itself, with exit code 0, and returns its last count. */
export async function finalTally(client: EventProcess): Promise<Tally> {
  const done = await client.waitForEvent('done');
  const { code, signal } = await client.exit;
  if (code !== 0) {
    throw new Error(`the client ended with ${signal ?? `code ${code}`}\n${client.stderr}`);
  }
  return asTally(done);
}

/** Waits for the next tick of a forever-calling client that meets the condition. */
export async function tickWhere(
  client: EventProcess,
  condition: (tally: Tally) => boolean,
): Promise<Tally> {
  return asTally(
    await client.nextEvent((event) => event.event === 'tick' && condition(asTally(event))),
  );
}

/**
 * Waits until a client has made `calls` more calls, and returns which servers answered them. Call it when the
 * client is known to have followed a change, or in a loop that ends when it has.
 */
export async function answersOfNext(client: EventProcess, calls: number): Promise<string[]> {
  const before = await tickWhere(client, () => true);
  const after = await tickWhere(client, (tally) => tally.calls >= before.calls + calls);
  return Object.keys(after.byServer)
    .filter((server) => (after.byServer[server] ?? 0) > (before.byServer[server] ?? 0))
    .sort();
}

/** The raw records of a service, in the order of their keys, as Go reads them. */
export async function rawRecords(etcd: string, service: string): Promise<RawRecord[]> {
  const { records } = await runGo('get', etcd, service);
  return (records as { key: string; valueBase64: string; lease: string }[]).map(
    ({ key, valueBase64, lease }) => ({
      key,
      value: Buffer.from(valueBase64, 'base64').toString(),
      lease,
    }),
  );
}

/** The counts of a `warm`, `tick` or `done` event. */
export function asTally(event: ProcessEvent): Tally {
  return event as unknown as Tally;
}
