/** `nestjs-grpc-discovery etcd`: the embedded etcd as a process of its own. */
import { parseArgs } from 'node:util';

/** What the command line's help says about it. */
export const ETCD_USAGE =
  '  etcd [--port 2379]   an etcd in the memory of one process, for development and tests only';

const DEFAULT_PORT = 2379;

/**
 * Serves until SIGINT or SIGTERM.
 *
 * @returns the exit code: 0 after a signal, 1 where it could not start, 2 for arguments that make no sense
 */
export async function runEtcd(args: readonly string[]): Promise<number> {
  const port = parsePort(args);
  if (port === undefined) {
    process.stderr.write(`allowed: --port with a number from 0 to 65535\n\n${ETCD_USAGE}\n`);
    return 2;
  }
  // By the package's own name: what is for tests is no part of the rest of the library.
  const { EmbeddedEtcd } = await import('nestjs-grpc-discovery/testing');
  let etcd;
  try {
    etcd = await EmbeddedEtcd.start({ port });
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
    return 1;
  }
  process.stdout.write(
    `embedded etcd at ${etcd.hosts.join(',')}\nIn memory, one process, for development and tests only: what it holds is gone when it ends.\n`,
  );
  await new Promise<void>((resolve) => {
    process.once('SIGINT', resolve);
    process.once('SIGTERM', resolve);
  });
  await etcd.stop();
  return 0;
}

function parsePort(args: readonly string[]): number | undefined {
  try {
    const { values } = parseArgs({ args: [...args], options: { port: { type: 'string' } } });
    const port = values.port === undefined ? DEFAULT_PORT : Number(values.port);
    return Number.isInteger(port) && port >= 0 && port <= 65_535 && values.port !== ''
      ? port
      : undefined;
  } catch {
    return undefined;
  }
}
