/** A TCP proxy on loopback that simulates a long distance: it delivers every byte a fixed time later. */
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

/** A running slow proxy. */
export interface SlowProxy {
  /** The port on 127.0.0.1 that clients dial instead of the target's. */
  readonly port: number;
  stop(): Promise<void>;
}

/**
 * Starts a proxy.
 *
 * @param delayMs how long each byte takes in either direction, in milliseconds: half of a round trip
 */
export async function startSlowProxy(targetPort: number, delayMs: number): Promise<SlowProxy> {
  const open = new Set<Socket>();
  const server = createServer((client) => {
    const target = connect(targetPort, '127.0.0.1');
    passOn(client, target, delayMs);
    passOn(target, client, delayMs);
    for (const socket of [client, target]) {
      open.add(socket);
      socket.on('close', () => open.delete(socket));
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    stop: async () => {
      for (const socket of open) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function passOn(from: Socket, to: Socket, delayMs: number): void {
  from.on('error', () => {});
  from.on('data', (chunk) => {
    setTimeout(() => to.writable && to.write(chunk), delayMs);
  });
  from.on('close', () => setTimeout(() => to.destroy(), delayMs));
}
