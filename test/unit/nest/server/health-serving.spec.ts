import type { Server } from '@grpc/grpc-js';
import { describe, expect, it } from 'vitest';
import type { ReadinessCheck } from '../../../../lib/nest/readiness-gate.js';
import { HealthServing, noticeServedHealth } from '../../../../lib/nest/server/health-serving.js';

type Check = (
  call: { request: { service: string } },
  callback: (error: { code?: number } | null, reply?: { status?: unknown }) => void,
) => void;

/** A gRPC server reduced to what the health service needs: it takes methods and listens nowhere. */
class FakeServer {
  readonly methods = new Map<string, unknown>();

  register(path: string, handler: unknown): boolean {
    this.methods.set(path, handler);
    return true;
  }

  /** Finds the handler of a method as grpc-js does: by its name in the proto, or its name in JavaScript. */
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

  /** The answer of the health service about a service: a status, or the code of an error. */
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
  it('answers for the whole server and for each of its services with the status that was set last', async () => {
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

  it('keeps the status that was set: a server and a service added later answer with it', async () => {
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

  it('leaves out the methods of a health service of the application, and then throws', async () => {
    const health = new HealthServing();
    await health.load();
    const server = new FakeServer();
    health.addTo(server.asServer);
    expect(() => health.assertServedOnce()).not.toThrow();
    health.addTo(new FakeServer().asServer);
    const path = '/grpc.health.v1.Health/Check';
    expect(server.asServer.register(path, own, Buffer.from, String, 'unary')).toBe(true);
    expect(server.methods.get('/grpc.health.v1.Health/Check')).not.toBe(own);
    expect(() => health.assertServedOnce()).toThrow(
      '[INVALID_OPTION] option health is true, and the application serves grpc.health.v1.Health itself',
    );
  });
});

/** The readiness check made of a server's own health service, whose `Check` is the given method. */
function checkOf(check: Check): ReadinessCheck | undefined {
  const server = new FakeServer();
  let noticed: ReadinessCheck | undefined;
  noticeServedHealth(server.asServer, (found) => (noticed = found));
  server.asServer.register('/user.User/Login', () => {}, Buffer.from, String, 'unary');
  expect(noticed).toBeUndefined();
  const path = '/grpc.health.v1.Health/Check';
  expect(server.asServer.register(path, check as never, Buffer.from, String, 'unary')).toBe(true);
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
  ])(
    'makes a check of the health service: the status %s becomes the answer %s',
    async (status, expected) => {
      const asked: string[] = [];
      const check = checkOf(({ request }, callback) => {
        asked.push(request.service);
        callback(null, { status });
      });
      await expect(check?.()).resolves.toBe(expected);
      expect(asked).toEqual(['']);
    },
  );

  it('makes a check that returns false if the health service sends no reply', async () => {
    await expect(checkOf((_call, callback) => callback(null))?.()).resolves.toBe(false);
  });

  it('makes a check that passes if the health service leaves its error undefined', async () => {
    const check = checkOf((_call, callback) => callback(undefined as never, { status: 1 }));
    await expect(check?.()).resolves.toBe(true);
  });

  it('makes a check that rejects with the error of the health service', async () => {
    const error = { code: 14 };
    const check = checkOf((_call, callback) => callback(error));
    await expect(check?.()).rejects.toBe(error);
  });
});
