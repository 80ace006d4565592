import { Server } from '@grpc/grpc-js';
import type { ModulesContainer } from '@nestjs/core';
import { Transport } from '@nestjs/microservices';
import { of, Subject } from 'rxjs';
import { describe, expect, it } from 'vitest';
import type { BoundServer } from '../../../../lib/nest/server/grpc-servers.service.js';
import { GrpcServers } from '../../../../lib/nest/server/grpc-servers.service.js';

const listener = {
  onCreating: () => Promise.resolve(),
  onCreated: () => {},
  onBound: () => Promise.resolve(),
  onClosing: () => Promise.resolve(),
};

/** An application with one server that binds no port: the part under test, and the server. */
function oneServer() {
  const target = {
    transportId: Transport.GRPC,
    url: 'a:1',
    createClient: () => Promise.resolve(new Server()),
    listen: () => {},
    close: () => Promise.resolve(),
  };
  const modules = { getRpcTargetRegistry: () => of(target) } as unknown as ModulesContainer;
  const servers = new GrpcServers(modules);
  servers.follow(listener);
  return { servers, target };
}

const FOR_GOOD =
  '[CLOSED] the gRPC server at "a:1" cannot listen again: it was closed, and its registrations with it, for good;';

it('the error of a closed server that is started again says that its application still runs', async () => {
  const { target } = oneServer();
  await target.createClient();
  await target.close();
  await expect(target.createClient()).rejects.toThrow(
    `${FOR_GOOD} its application has not shut down: clients and registry are open still.`,
  );
});

it('the error of a server that is started again after the shutdown says what the shutdown ended', async () => {
  const { servers, target } = oneServer();
  await target.createClient();
  await target.close();
  servers.unfollow();
  await expect(target.createClient()).rejects.toThrow(
    `${FOR_GOOD} the shutdown hooks of its application have run, and ended its clients and its registry, too.`,
  );
});

it('the error of a server that is started after it was closed says that it was never bound', async () => {
  const { target } = oneServer();
  await target.close();
  await expect(target.createClient()).rejects.toThrow('was closed before it was bound');
});

/** Servers that a test adds, and the calls that their listener receives. */
function following() {
  const targets = new Subject<unknown>();
  const modules = { getRpcTargetRegistry: () => targets } as unknown as ModulesContainer;
  const servers = new GrpcServers(modules);
  const heard: string[] = [];
  const bound: BoundServer[] = [];
  let failure: Error | undefined;
  servers.follow({
    onCreating: async () => void heard.push('creating'),
    onCreated: () => void heard.push('created'),
    onBound: async (server) => {
      heard.push(`bound ${server.url}`);
      bound.push(server);
      if (failure !== undefined) throw failure;
    },
    onClosing: async ({ url }) => void heard.push(`closing ${url}`),
  });
  const target = {
    transportId: Transport.GRPC as unknown,
    url: 'a:1',
    options: { package: ['user', 'admin'] as string | string[], channelOptions: {} },
    createClient: () => Promise.resolve(new Server()),
    listen: (callback: (error?: unknown) => void) => callback(),
    close: async () => void heard.push('closed'),
  };
  const fail = (error: Error): Error => (failure = error);
  return { servers, targets, target, heard, bound, fail };
}

const own = (): void => {};
const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('a gRPC server of the application', () => {
  it('is reported when it is made, bound and closed', async () => {
    const { servers, targets, target, heard, bound } = following();
    targets.next(target);
    expect(servers.all).toEqual([{ url: 'a:1', packages: ['user', 'admin'] }]);
    await target.createClient();
    const listening: unknown[] = [];
    target.listen((...results) => listening.push(results));
    await Promise.resolve();
    await Promise.resolve();
    expect(listening).toHaveLength(1);
    await target.close();
    await target.close();
    expect(heard).toEqual(['creating', 'created', 'bound a:1', 'closing a:1', 'closed', 'closed']);
    expect(bound).toMatchObject([{ url: 'a:1', packages: ['user', 'admin'], addresses: [] }]);
  });

  it("has the tracker of its calls before all interceptors of the user, and the user's options stay unchanged", async () => {
    const { targets, target, bound } = following();
    const options = { package: 'user', channelOptions: { interceptors: [own] } };
    target.options = options;
    targets.next(target);
    await target.createClient();
    target.listen(() => {});
    await Promise.resolve();
    expect(target.options.channelOptions).toEqual({
      interceptors: [bound[0]?.calls.interceptor, own],
    });
    expect(options.channelOptions.interceptors).toEqual([own]);
    expect(bound[0]?.packages).toEqual(['user']);
  });

  it('is adopted once, and servers of other transports and other objects are not', async () => {
    const { servers, targets, target } = following();
    for (let time = 0; time < 2; time++) targets.next(target);
    targets.next({ ...target, transportId: Transport.TCP });
    targets.next({ ...target, close: undefined });
    for (const odd of [null, 'text', {}]) targets.next(odd);
    expect(servers.all).toHaveLength(1);
    servers.unfollow();
    targets.next({ ...target });
    expect(servers.all).toHaveLength(1);
  });

  it('that fails to listen is not reported as bound', async () => {
    const { targets, target, heard } = following();
    target.listen = (callback) => callback(new Error('in use'));
    targets.next(target);
    await target.createClient();
    const results: unknown[] = [];
    target.listen((error) => results.push(error));
    await Promise.resolve();
    expect(results).toMatchObject([{ message: 'in use' }]);
    expect(heard).toEqual(['creating', 'created']);
  });

  it('that is closed while it is being made waits for that, and is closed then', async () => {
    const { targets, target, heard } = following();
    let make: ((server: Server) => void) | undefined;
    target.createClient = () => new Promise((resolve) => (make = resolve));
    targets.next(target);
    const error = target.createClient().catch(String);
    await nextTurn();
    const closing = target.close();
    await nextTurn();
    expect(heard).toEqual(['creating']);
    make?.(new Server());
    await closing;
    expect(heard).toEqual(['creating', 'closed']);
    expect(await error).toContain('was closed before it was bound');
  });

  it('that was not made before it listens is not reported as bound', async () => {
    const { targets, target, heard } = following();
    targets.next(target);
    let listening = 0;
    target.listen(() => listening++);
    expect([listening, heard]).toEqual([1, []]);
  });

  it("does not listen if the discovery's listener fails", async () => {
    const { targets, target, fail } = following();
    const failure = fail(new Error('failFast is set'));
    targets.next(target);
    await target.createClient();
    const results: unknown[] = [];
    target.listen((error) => results.push(error));
    for (let turn = 0; turn < 5; turn++) await Promise.resolve();
    expect(results).toEqual([failure]);
  });
});
