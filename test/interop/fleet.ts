/** Servers and clients of both kinds, Nest's and Go's, started alike and held to the same events. */
import { startApp } from '../support/child-app.js';
import type { EventProcess, ProcessEvent } from '../support/event-process.js';
import { type GoFlags, runGo, startGo } from './go-program.js';

/** Whose implementation. */
export type Side = 'nest' | 'go';

/** Both sides, for `it.each`. */
export const sides: readonly Side[] = ['nest', 'go'];

export interface ServerOptions {
  /** The name it answers with. */
  readonly id: string;
  readonly ttlSeconds?: number;
  /** Nest only: further fields of the `service` option. */
  readonly serviceOptions?: Readonly<Record<string, unknown>>;
}

export interface ClientOptions {
  readonly calls?: number;
  readonly concurrency?: number;
  /** Call until stopped, with a `tick` event every 100 ms. */
  readonly forever?: boolean;
  /** Before the counting starts, call until so many servers have answered. */
  readonly warm?: number;
}

/** What a client event counts. */
export interface Tally {
  readonly calls: number;
  readonly failed: number;
  readonly byServer: Readonly<Record<string, number>>;
  readonly byCode: Readonly<Record<string, number>>;
}

/** A record as it stands in etcd. */
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
  const { id, ttlSeconds = 10, serviceOptions = {} } = options;
  if (side === 'go') {
    const server = await startGo('server', etcd, service, { id, ttl: ttlSeconds });
    await server.waitForEvent('registered');
    return server;
  }
  const server = await startApp('api-server', {
    ETCD_HOSTS: etcd,
    SERVICE: service,
    SERVER_ID: id,
    TTL_SECONDS: String(ttlSeconds),
    SERVICE_OPTIONS: JSON.stringify(serviceOptions),
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
  if (side === 'go') {
    const flags: GoFlags = { calls, concurrency, warm, ...(forever ? { forever: true } : {}) };
    return startGo('client', etcd, service, flags);
  }
  return startApp('api-client', {
    ETCD_HOSTS: etcd,
    SERVICE: service,
    CALLS: String(calls),
    CONCURRENCY: String(concurrency),
    WARM: String(warm),
    FOREVER: forever ? '1' : '0',
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

/** Waits for a tick of a client that calls forever, from now on. */
export async function tickWhere(
  client: EventProcess,
  condition: (tally: Tally) => boolean,
): Promise<Tally> {
  return asTally(
    await client.nextEvent((event) => event.event === 'tick' && condition(asTally(event))),
  );
}

/**
 * Waits until a client has done `calls` more calls since now, and returns who answered those. Call it when the client
 * is known to have followed a change, or in a loop that ends when it has.
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
