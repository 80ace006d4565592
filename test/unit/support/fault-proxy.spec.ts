/**
 * The fault proxy, over real sockets on loopback: each fault does what its table row says, and ends without
 * loss.
 */
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FaultProxy } from '../../support/fault-proxy.js';

/**
 * How long a peer waits for anything, in milliseconds; shorter than the limit of a test, so that a failure
 * says what is missing.
 */
const LONGEST_MS = 60_000;

/** A peer that collects what it receives, and whose reader can wait for an amount or for the end. */
class Peer {
  text = '';
  ended = false;
  /** `undefined` while open; then whether an error (such as a reset) closed it. */
  closedWithError: boolean | undefined;
  private readonly watchers = new Set<() => void>();

  constructor(readonly socket: Socket) {
    socket.on('data', (chunk: Buffer) => {
      this.text += chunk.toString();
      this.changed();
    });
    socket.on('end', () => {
      this.ended = true;
      this.changed();
    });
    socket.on('error', () => {});
    socket.on('close', (hadError) => {
      this.closedWithError = hadError;
      this.changed();
    });
  }

  async received(text: string): Promise<void> {
    await this.until(() => this.text === text);
    expect(this.text).toBe(text);
  }

  async receivedLength(length: number): Promise<void> {
    await this.until(() => this.text.length === length);
    expect(this.text).toHaveLength(length);
  }

  async end(): Promise<void> {
    await this.until(() => this.ended);
    expect(this.ended).toBe(true);
  }

  async closed(): Promise<void> {
    await this.until(() => this.closedWithError !== undefined);
    expect(this.closedWithError).toBeDefined();
  }

  private changed(): void {
    for (const watcher of this.watchers) watcher();
  }

  /**
   * Resolves once the condition holds, or after {@link LONGEST_MS}: the caller asserts what it waited for.
   */
  private until(condition: () => boolean): Promise<void> {
    return new Promise((resolve) => {
      const end = (): void => {
        this.watchers.delete(check);
        clearTimeout(timer);
        resolve();
      };
      const check = (): void => {
        if (condition()) end();
      };
      const timer = setTimeout(end, LONGEST_MS);
      this.watchers.add(check);
      check();
    });
  }
}

let target: Server;
let served: Peer[];
let clients: Peer[];
let proxy: FaultProxy;

/** The `index`th connection that the target has accepted. */
async function servedPeer(index: number): Promise<Peer> {
  while (served[index] === undefined) await once(target, 'connection');
  return served[index];
}

async function dial(): Promise<Peer> {
  const socket = connect({
    host: '127.0.0.1',
    port: proxy.port,
    allowHalfOpen: true,
  });
  const peer = new Peer(socket);
  clients.push(peer);
  await once(socket, 'connect');
  return peer;
}

beforeEach(async () => {
  served = [];
  clients = [];
  target = createServer({ allowHalfOpen: true }, (socket) => served.push(new Peer(socket)));
  target.listen(0, '127.0.0.1');
  await once(target, 'listening');
  proxy = await FaultProxy.start({
    targetPort: (target.address() as AddressInfo).port,
  });
});

afterEach(async () => {
  await proxy.stop();
  for (const peer of [...clients, ...served]) peer.socket.destroy();
  await new Promise((resolve) => target.close(resolve));
});

describe('FaultProxy', () => {
  it('forwards data, and the end of data from one side, in both directions', async () => {
    const client = await dial();
    const server = await servedPeer(0);
    client.socket.write('question');
    await server.received('question');
    client.socket.end();
    await server.end();
    server.socket.end('answer');
    await client.received('answer');
    await client.end();
    await proxy.disconnected();
    expect([client.closedWithError, server.closedWithError]).not.toContain(true);
  });

  it('counts the connections that are open now, and all that it has accepted', async () => {
    const first = await dial();
    await dial();
    await proxy.connected(2);
    expect([proxy.connections, proxy.accepted]).toEqual([2, 2]);
    first.socket.resetAndDestroy();
    await (await servedPeer(0)).closed();
    expect([proxy.connections, proxy.accepted]).toEqual([1, 2]);
    await dial();
    await proxy.acceptedAtLeast(3);
    expect(proxy.connections).toBe(2);
  });

  it('loses no data if a stall holds more bytes than the proxy keeps in memory', async () => {
    const client = await dial();
    const server = await servedPeer(0);
    const size = 16 * 1024 * 1024;
    proxy.stall('to-server');
    client.socket.write('x'.repeat(size));
    server.socket.write('the other direction');
    await client.received('the other direction');
    expect(server.text).toBe('');
    proxy.resume();
    await server.receivedLength(size);
  });

  describe('cut()', () => {
    it('resets both sides of every connection and refuses new ones', async () => {
      const client = await dial();
      const server = await servedPeer(0);
      await proxy.cut();
      await Promise.all([client.closed(), server.closed()]);
      expect(client.closedWithError).toBe(true);
      expect(server.closedWithError).toBe(true);
      await expect(dial()).rejects.toMatchObject({ code: 'ECONNREFUSED' });
      expect(proxy.connections).toBe(0);
    });

    it('lasts until restore(), which listens on the same port again', async () => {
      const { port } = proxy;
      await proxy.cut();
      await proxy.restore();
      expect(proxy.port).toBe(port);
      const client = await dial();
      client.socket.write('again');
      await (await servedPeer(0)).received('again');
    });

    it('makes stall() and acceptOnly() throw until restore()', async () => {
      await proxy.cut();
      expect(() => proxy.stall()).toThrow('restore() it first');
      expect(() => proxy.acceptOnly()).toThrow('restore() it first');
    });
  });

  describe('stall()', () => {
    it('holds the bytes of one direction only, until resume() delivers them in order', async () => {
      const client = await dial();
      const server = await servedPeer(0);
      proxy.stall('to-server');
      client.socket.write('held ');
      server.socket.write('passes');
      await client.received('passes');
      expect(server.text).toBe('');
      client.socket.write('too');
      proxy.resume();
      await server.received('held too');
    });

    it('with to-client holds answers while requests pass', async () => {
      const client = await dial();
      const server = await servedPeer(0);
      proxy.stall('to-client');
      server.socket.write('answer');
      client.socket.write('request');
      await server.received('request');
      expect(client.text).toBe('');
      proxy.resume();
      await client.received('answer');
    });

    it('lets clients connect, and holds the bytes of new connections too', async () => {
      proxy.stall('both');
      const client = await dial();
      const server = await servedPeer(0);
      client.socket.write('early');
      server.socket.write('hello');
      proxy.resume();
      await Promise.all([server.received('early'), client.received('hello')]);
    });

    it('hides from the server that the client has closed its connection, until resume()', async () => {
      const client = await dial();
      const server = await servedPeer(0);
      proxy.stall('to-server');
      client.socket.write('last words');
      client.socket.destroy();
      server.socket.resume();
      await client.closed();
      expect([server.ended, server.closedWithError]).toEqual([false, undefined]);
      proxy.resume();
      await server.received('last words');
      await server.end();
    });

    it('ends at the latest when the proxy stops; the stop resets the server side of a connection whose client has left', async () => {
      const client = await dial();
      const server = await servedPeer(0);
      proxy.stall('to-server');
      client.socket.resetAndDestroy();
      await proxy.disconnected();
      await proxy.stop();
      await server.closed();
      expect(server.closedWithError).toBe(true);
    });

    it('in another direction replaces the earlier stall, and delivers the bytes that the earlier stall held', async () => {
      const client = await dial();
      const server = await servedPeer(0);
      proxy.stall('to-server');
      client.socket.write('request');
      proxy.stall('to-client');
      await server.received('request');
      server.socket.write('answer');
      proxy.resume();
      await client.received('answer');
    });
  });

  describe('acceptOnly()', () => {
    it('accepts new connections, and connects them to the target only at resume()', async () => {
      proxy.acceptOnly();
      const client = await dial();
      await proxy.connected(1);
      client.socket.write('anyone there?');
      expect(served).toHaveLength(0);
      proxy.resume();
      await (await servedPeer(0)).received('anyone there?');
    });

    it('lets connections that are already open go on', async () => {
      const client = await dial();
      const server = await servedPeer(0);
      proxy.acceptOnly();
      client.socket.write('still here');
      await server.received('still here');
      proxy.disconnect();
      await client.closed();
      expect(proxy.connections).toBe(0);
    });

    it('drops a connection whose client gives up: the target never gets it, not even after resume()', async () => {
      proxy.acceptOnly();
      const client = await dial();
      await proxy.connected(1);
      client.socket.resetAndDestroy();
      await proxy.disconnected();
      proxy.resume();
      const next = await dial();
      next.socket.write('first');
      await (await servedPeer(0)).received('first');
    });
  });

  it('resets the connection of a client if no server listens on the target port', async () => {
    await new Promise((resolve) => target.close(resolve));
    const client = await dial();
    await client.closed();
    expect(client.closedWithError).toBe(true);
  });
});
