/**
 * Finds the application's gRPC servers, and reports when each is bound and when each is about to close. No
 * hook of Nest marks these moments in every start order, so this file wraps `createClient`, `listen` and
 * `close` of each server object.
 */
import type { Server } from '@grpc/grpc-js';
import { Inject, Injectable, Optional } from '@nestjs/common';
import { ModulesContainer } from '@nestjs/core';
import { Transport } from '@nestjs/microservices';
import type { Subscription } from 'rxjs';
import { DiscoveryError } from '../../core/discovery-error.js';
import { boundAddresses } from '../../grpc/grpc-js/server-internals.js';
import { CallTracker } from '../../grpc/server/call-tracker.js';
import { assertOneGrpc, twoCopiesOfNest } from '../one-copy.js';

/** The options that identify a gRPC server among the others. */
export interface GrpcServerIdentity {
  /** The `url` option. */
  readonly url: string;
  /** The proto packages that the server serves. */
  readonly packages: readonly string[];
}

/** A gRPC server that accepts calls. */
export interface BoundServer extends GrpcServerIdentity {
  /** `host:port` of the server's sockets; empty if they are unknown. */
  readonly addresses: readonly string[];
  readonly server: Server;
  /** The calls under way at this server. */
  readonly calls: CallTracker;
}

/** The listener of the servers. The server's `listen` or `close` waits for each returned promise. */
export interface GrpcServersListener {
  /** A server is about to be made. */
  onCreating(): Promise<void>;
  /** The port of a server is bound; services are added next. */
  onCreated(server: Server, calls: CallTracker): void;
  /** The server accepts calls. */
  onBound(server: BoundServer): Promise<void>;
  /**
   * The server is about to close. When the returned promise resolves, the remaining calls and connections are
   * closed by force.
   */
  onClosing(server: BoundServer): Promise<void>;
}

type Callback = (error?: unknown, ...rest: unknown[]) => void;

/** The part of Nest's `ServerGrpc` this file relies on. */
interface GrpcTransportServer {
  readonly transportId: unknown;
  readonly url?: string;
  options?: { package?: string | string[]; channelOptions?: { interceptors?: unknown[] } };
  createClient(): Promise<Server>;
  listen(callback: Callback): unknown;
  close(): unknown;
}

/** Finds every gRPC server of the application, however and whenever it was added. */
@Injectable()
export class GrpcServers {
  private readonly adopted = new Set<GrpcTransportServer>();
  private subscription: Subscription | undefined;
  private isOver = false;

  private readonly modules: ModulesContainer;

  /**
   * @throws DiscoveryError `UNSUPPORTED_VERSION` if there are two copies of Nest: the container is then an
   *   instance of another class
   */
  constructor(@Optional() @Inject(ModulesContainer) modules: ModulesContainer | undefined) {
    if (modules === undefined) throw twoCopiesOfNest();
    this.modules = modules;
  }

  /** The gRPC servers the application has so far, bound or not. */
  get all(): readonly GrpcServerIdentity[] {
    return [...this.adopted].map(identify);
  }

  /**
   * Reports all servers to the listener, including those that were added before.
   *
   * @throws DiscoveryError `UNSUPPORTED_VERSION` if another copy of grpc-js made the servers
   */
  follow(listener: GrpcServersListener): void {
    assertOneGrpc();
    this.subscription ??= this.modules.getRpcTargetRegistry().subscribe((target: unknown) => {
      if (isGrpcServer(target) && !this.adopted.has(target)) this.adopt(target, listener);
    });
  }

  /** Stops the reports, because the application has shut down: no further servers will be added. */
  unfollow(): void {
    this.isOver = true;
    this.subscription?.unsubscribe();
  }

  private adopt(target: GrpcTransportServer, listener: GrpcServersListener): void {
    this.adopted.add(target);
    const createClient = target.createClient.bind(target);
    const listen = target.listen.bind(target);
    const close = target.close.bind(target);
    const calls = new CallTracker();
    let bound: BoundServer | undefined;
    let closing: Promise<void> | undefined;
    let created: Promise<unknown> | undefined;
    let isClosed = false;

    target.createClient = async () => {
      const { options } = target;
      const channelOptions = options?.channelOptions;
      // grpc-js puts the first interceptor next to the call itself: so the tracker also counts calls that an
      // interceptor of the user answers.
      const interceptors = [calls.interceptor, ...(channelOptions?.interceptors ?? [])];
      // A copy: the user may use the same object for another server.
      target.options = { ...options, channelOptions: { ...channelOptions, interceptors } };
      await listener.onCreating();
      if (isClosed && bound === undefined) throw closedAtStart(target.url);
      if (isClosed) throw closedForGood(target.url, this.isOver);
      const creating = createClient();
      created = creating.catch(() => {});
      const server = await creating;
      if (isClosed) {
        server.forceShutdown();
        throw closedAtStart(target.url);
      }
      listener.onCreated(server, calls);
      bound = { ...identify(target), addresses: boundAddresses(server), server, calls };
      return server;
    };
    target.listen = (callback) =>
      listen((error, ...rest) => {
        if (bound === undefined || (error !== undefined && error !== null)) {
          callback(error, ...rest);
          return;
        }
        listener.onBound(bound).then(
          () => callback(error, ...rest),
          (failure: unknown) => callback(failure),
        );
      });
    target.close = async () => {
      isClosed = true;
      await created;
      closing ??= bound === undefined ? Promise.resolve() : listener.onClosing(bound);
      await closing;
      await close();
    };
  }
}

function identify({ url = '', options }: GrpcTransportServer): GrpcServerIdentity {
  return { url, packages: [options?.package ?? []].flat() };
}

function closedAtStart(url = ''): DiscoveryError {
  return new DiscoveryError(
    'CLOSED',
    `the gRPC server at "${url}" was closed before it was bound; it stays closed`,
  );
}

/**
 * @param isOver whether the shutdown hooks have run; they also run at `close()` of one microservice of a
 *   hybrid application
 */
function closedForGood(url = '', isOver: boolean): DiscoveryError {
  const rest = isOver
    ? 'the shutdown hooks of its application have run, and ended its clients and its registry, too'
    : 'its application has not shut down: clients and registry are open still';
  return new DiscoveryError(
    'CLOSED',
    `the gRPC server at "${url}" cannot listen again: it was closed, and its registrations with it, for good; ${rest}. Make another application with NestFactory`,
  );
}

function isGrpcServer(target: unknown): target is GrpcTransportServer {
  if (typeof target !== 'object' || target === null) return false;
  const { transportId, createClient, listen, close } = target as Partial<GrpcTransportServer>;
  return (
    transportId === Transport.GRPC &&
    [createClient, listen, close].every((method) => typeof method === 'function')
  );
}
