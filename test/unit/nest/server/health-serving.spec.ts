import type { Server } from '@grpc/grpc-js';
import { describe, expect, it } from 'vitest';
import type { ReadinessCheck } from '../../../../lib/nest/readiness-gate.js';
import { HealthServing, noticeServedHealth } from '../../../../lib/nest/server/health-serving.js';

type Check = (
  call: { request: { service: string } },
  callback: (error: { code?: number } | null, reply?: { status?: unknown }) => void,
) => void;

/** What a gRPC server is to this: a place for methods. It listens nowhere. */
class FakeServer {
  readonly methods = new Map<string, unknown>();

  register(path: string, handler: unknown): boolean {
    this.methods.set(path, handler);
    return true;
  }

  /** As grpc-js finds the handler of a method: by its name in the proto, or in JavaScript. */
  addService(
    definition: Record<string, { path: string; originalName?: string }>,
    handlers: Record<string, unknown>,
  ): void {
    for (const [name, { path, originalName = '' }] of Object.entries(definition)) {
      this.register(path, handlers[name] ?? handlers[originalName]);
    }
  }

  get asServer(): Server {
    return this as unknown as Server;
  }

  /** What the health service answers about a service: its status, or the code of an error. */
  ask(service: string): unknown {
    const check = this.methods.get('/grpc.health.v1.Health/Check') as Check;
    let answer: unknown;
    check({ request: { service } }, (error, reply) => (answer = error?.code ?? reply?.status));
    return answer;
  }
}

const NOT_FOUND = 5;

const own = (): void => {};

describe('the health service of the option health', () => {
  it('answers for the server as a whole and for each of its services, as it was set last', async () => {
    const health = new HealthServing();
    await health.load();
    const server = new FakeServer();
    health.addTo(server.asServer);
    expect(
      server.asServer.register('/user.User/Login', () => {}, Buffer.from, String, 'unary'),
    ).toBe(true);
    expect(server.methods.has('/user.User/Login')).toBe(true);
    expect([server.ask(''), server.ask('user.User')]).toEqual(['NOT_SERVING', 'NOT_SERVING']);
    health.set(true);
    expect([server.ask(''), server.ask('user.User')]).toEqual(['SERVING', 'SERVING']);
    expect(server.ask('other.Other')).toBe(NOT_FOUND);
    health.set(false);
    expect([server.ask(''), server.ask('user.User')]).toEqual(['NOT_SERVING', 'NOT_SERVING']);
  });

  it('answers for a server and a service that are added later, as it was set before', async () => {
    const health = new HealthServing();
    await health.load();
    health.set(true);
    const server = new FakeServer();
    health.addTo(server.asServer);
    server.asServer.register('/user.User/Login', () => {}, Buffer.from, String, 'unary');
    expect([server.ask(''), server.ask('user.User')]).toEqual(['SERVING', 'SERVING']);
  });

  it('is not added before the package is loaded', () => {
    const server = new FakeServer();
    new HealthServing().addTo(server.asServer);
    expect(server.methods.size).toBe(0);
  });

  it('loads its package once', async () => {
    const health = new HealthServing();
    expect(health.load()).toBe(health.load());
    await health.load();
  });

  it('is refused beside one that the application adds itself, which is left out', async () => {
    const health = new HealthServing();
    await health.load();
    const server = new FakeServer();
    health.addTo(server.asServer);
    expect(() => health.assertServedOnce()).not.toThrow();
    server.asServer.register('/grpc.health.v1.Health/Check', own, Buffer.from, String, 'unary');
    expect(server.methods.get('/grpc.health.v1.Health/Check')).not.toBe(own);
    expect(() => health.assertServedOnce()).toThrow(
      '[INVALID_OPTION] option health is true, and the application serves grpc.health.v1.Health itself',
    );
  });
});

/** The check of a server whose own health service answers like this. */
function checkOf(check: Check): ReadinessCheck | undefined {
  const server = new FakeServer();
  let noticed: ReadinessCheck | undefined;
  noticeServedHealth(server.asServer, (found) => (noticed = found));
  server.asServer.register('/user.User/Login', () => {}, Buffer.from, String, 'unary');
  expect(noticed).toBeUndefined();
  const path = '/grpc.health.v1.Health/Check';
  server.asServer.register(path, check as never, Buffer.from, String, 'unary');
  expect([...server.methods.keys()]).toEqual(['/user.User/Login', path]);
  return noticed;
}

describe('noticeServedHealth', () => {
  it.each([
    ['SERVING', true],
    [1, true],
    ['NOT_SERVING', false],
    [2, false],
    [undefined, false],
  ])('a status of %s is a check that returns %s', async (status, expected) => {
    const asked: string[] = [];
    const check = checkOf(({ request }, callback) => {
      asked.push(request.service);
      callback(null, { status });
    });
    await expect(check?.()).resolves.toBe(expected);
    expect(asked).toEqual(['']);
  });

  it('an answer without a reply is a check that returns false', async () => {
    await expect(checkOf((_call, callback) => callback(null))?.()).resolves.toBe(false);
  });

  it('an error is a check that rejects with it', async () => {
    const error = { code: 14 };
    const check = checkOf((_call, callback) => callback(error));
    await expect(check?.()).rejects.toBe(error);
  });
});
