/** Loopback addresses that never answer, each in another way. */
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { EventProcess } from './event-process.js';

/** An address that is dead until `stop` is called. */
export interface DeadAddress {
  readonly address: string;
  stop(): Promise<void>;
}

const LISTENER = `require('node:net').createServer().listen({ port: 0, host: '127.0.0.1', backlog: 1 }, function () {
  console.log(JSON.stringify({ event: 'port', port: this.address().port }));
});`;
/** How long a connection may take, in milliseconds; after that it counts as one that is never made. */
const CONNECT_MS = 500;

/**
 * An address whose packets are dropped, like that of a machine that is gone: its listener never accepts, and
 * the listener's backlog is full.
 */
export async function startBlackHole(): Promise<DeadAddress> {
  const listener = new EventProcess(process.execPath, ['-e', LISTENER], { name: 'black hole' });
  const port = Number((await listener.waitForEvent('port'))['port']);
  listener.kill('SIGSTOP');
  const fillers: Socket[] = [];
  let isFull = false;
  while (!isFull && fillers.length < 40) {
    const filler = connect(port, '127.0.0.1').on('error', () => {});
    fillers.push(filler);
    let timer: NodeJS.Timeout | undefined;
    isFull = await Promise.race([
      once(filler, 'connect').then(() => false),
      new Promise<boolean>((resolve) => (timer = setTimeout(() => resolve(true), CONNECT_MS))),
    ]);
    clearTimeout(timer);
  }
  return {
    address: `127.0.0.1:${port}`,
    stop: async () => {
      for (const filler of fillers) filler.destroy();
      listener.kill('SIGKILL');
      await listener.exit;
    },
  };
}

/** An address that accepts every connection and never answers. */
export async function startSilence(): Promise<DeadAddress> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {}).on('close', () => sockets.delete(socket));
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return {
    address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    stop: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
