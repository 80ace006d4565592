/**
 * Connections end at their maximum age: no unary call fails because of it, and streams must be opened again.
 */
import { status, type ServiceError } from '@grpc/grpc-js';
import type { ClientGrpc } from '@nestjs/microservices';
import { MemoryRegistry } from 'nestjs-grpc-discovery';
import type { Observable } from 'rxjs';
import { afterEach, expect, it } from 'vitest';
import { startUserClient, startUserServer } from '../support/user-apps.js';

const closers: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).toReversed()) await close();
});

async function fleet(
  ids: readonly string[],
  maxConnectionAgeMs: number,
  maxConnectionAgeGraceMs: number,
) {
  const registry = new MemoryRegistry();
  for (const id of ids) {
    const app = await startUserServer({
      id,
      discovery: {
        registry,
        service: {
          name: 'api',
          drainDelayMs: 0,
          drainTimeoutMs: 200,
          maxConnectionAgeMs,
          maxConnectionAgeGraceMs,
        },
      },
    });
    closers.push(() => app.close());
  }
  const client = await startUserClient({ registry }, { retry: false });
  closers.push(() => client.close());
  return client;
}

it('no unary call fails while every connection is replaced again and again', async () => {
  const client = await fleet(['a', 'b', 'c'], 1_000, 1_000);
  const until = performance.now() + 3_000;
  let calls = 0;
  const failures: unknown[] = [];
  await Promise.all(
    Array.from({ length: 32 }, async () => {
      while (performance.now() < until) {
        calls++;
        await client.login().catch((error: unknown) => failures.push(error));
      }
    }),
  );
  expect(calls).toBeGreaterThan(100);
  expect(failures).toEqual([]);
});

it('a stream that does not end by itself is ended with UNAVAILABLE after maxConnectionAgeGraceMs', async () => {
  const { client } = await fleet(['a'], 100, 50);
  const error = await firstError(client);
  expect(error.code).toBe(status.UNAVAILABLE);
  expect(error.details).toMatch(/maximum age/);
});

function firstError(client: ClientGrpc): Promise<ServiceError> {
  const users = client.getService<{ watch(request: object): Observable<unknown> }>('User');
  return new Promise((resolve) => {
    users.watch({ name: 'x' }).subscribe({ error: resolve });
  });
}
