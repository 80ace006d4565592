import { Server } from '@grpc/grpc-js';
import type { ModulesContainer } from '@nestjs/core';
import { Transport } from '@nestjs/microservices';
import { of, Subject } from 'rxjs';
import { describe, expect, it, vi } from 'vitest';
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

it('the error of a server that is started after it was closed says that the server was never bound', async () => {
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
  let prepared = Promise.resolve();
  let lingering = Promise.resolve();
  servers.follow({
    onCreating: () => {
      heard.push('creating');
      return prepared;
    },
    onCreated: () => void heard.push('created'),
    onBound: async (server) => {
      heard.push(`bound ${server.url}`);
      bound.push(server);
      if (failure !== undefined) throw failure;
    },
    onClosing: ({ url }) => {
      heard.push(`closing ${url}`);
      return lingering;
    },
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
  /** Sets what the making of a server waits for. */
  const prepare = (work: Promise<void>): Promise<void> => (prepared = work);
  /** Sets what the close of a server waits for. */
  const linger = (work: Promise<void>): Promise<void> => (lingering = work);
  return { servers, targets, target, heard, bound, fail, prepare, linger };
}

const own = (): void => {};
/** A promise, and the functions that settle it. */
function openPromise(): [Promise<void>, resolve: () => void, reject: (error: Error) => void] {
  let resolve: () => void = own;
  let reject: (error: Error) => void = own;
  const promise = new Promise<void>((...settle) => {
    [resolve, reject] = settle;
  });
  return [promise, resolve, reject];
}
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

  it('that is closed while it is being made is closed as soon as it is made', async () => {
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

  it('that is closed while it is being made is shut down, because it may be bound by then', async () => {
    const { targets, target } = following();
    const server = new Server();
    const forced = vi.spyOn(server, 'forceShutdown');
    target.createClient = async () => {
      void target.close();
      return server;
    };
    targets.next(target);
    await expect(target.createClient()).rejects.toThrow('was closed before it was bound');
    expect(forced).toHaveBeenCalledTimes(1);
  });

  it('that fails to be made can be closed, and its error is that of the failure', async () => {
    const { targets, target, heard } = following();
    const [work, , fail] = openPromise();
    target.createClient = async () => {
      await work;
      return new Server();
    };
    targets.next(target);
    const made = target.createClient();
    await nextTurn();
    const closed = target.close();
    fail(new Error('the port is taken'));
    await expect(made).rejects.toThrow('the port is taken');
    await closed;
    expect(heard).toEqual(['creating', 'closed']);
  });

  it('is not made before its listener has prepared that, and not at all if the preparation fails', async () => {
    const { targets, target, prepare } = following();
    let made = 0;
    target.createClient = async () => {
      made++;
      return new Server();
    };
    targets.next(target);
    const [work, resolve] = openPromise();
    prepare(work);
    const server = target.createClient();
    await nextTurn();
    expect(made).toBe(0);
    resolve();
    await server;
    expect(made).toBe(1);
    prepare(Promise.reject(new Error('no package')));
    await expect(target.createClient()).rejects.toThrow('no package');
    expect(made).toBe(1);
  });

  it('closes only after its listener has seen to the calls under way', async () => {
    const { targets, target, heard, linger } = following();
    targets.next(target);
    await target.createClient();
    const [work, resolve] = openPromise();
    linger(work);
    const closing = target.close();
    await nextTurn();
    expect(heard).toEqual(['creating', 'created', 'closing a:1']);
    resolve();
    await closing;
    expect(heard.at(-1)).toBe('closed');
  });

  it('is bound if it listens without an error, which Nest reports as undefined or as null', async () => {
    const { targets, target, heard } = following();
    target.listen = (callback) => callback(null);
    targets.next(target);
    await target.createClient();
    target.listen(() => {});
    expect(heard.at(-1)).toBe('bound a:1');
  });

  it('without a url and packages is identified by empty ones', () => {
    const { servers, targets, target } = following();
    targets.next({ ...target, url: undefined, options: undefined });
    expect(servers.all).toEqual([{ url: '', packages: [] }]);
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
