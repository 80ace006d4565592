/** Loopback ports on which a test may listen, stop listening, and listen again. */
import { createServer } from 'node:net';

/**
 * Ports below those that the system itself gives to connections and to listeners without a port: 32768 and
 * above on Linux, 49152 and above elsewhere. A port of theirs may be in use when a test listens again.
 */
const PORTS = { first: 16_384, count: 16_000 };

/** A loopback port that is free now and that the system gives to nothing else. */
export async function freePort(): Promise<number> {
  for (let attempt = 1; attempt <= 100; attempt++) {
    const port = PORTS.first + Math.floor(Math.random() * PORTS.count);
    if (await isFree(port)) return port;
  }
  throw new Error(`no port from ${PORTS.first} on is free`);
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer();
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject).listen(port, '127.0.0.1', resolve);
    });
    return true;
  } catch {
    return false;
  } finally {
    server.close();
  }
}
