/**
 * A client process that calls all the time, one call after the other, and says when a server answers for the first time: `seen`
 * with `server` and `atMs`, by the clock on the wall. Ends when its standard input closes. Arguments: hosts of etcd, service.
 */
import { clientOf, openClients } from './balanced-fleet.js';

const [, , host = '', service = ''] = process.argv;
const clients = await openClients([host]);
const client = clientOf(clients, service, { loadBalancing: 'round_robin' });
const seen = new Set<string>();
process.stdin.on('end', () => process.exit(0)).resume();
for (;;) {
  const server = await client.call({ timeoutMs: 5_000 }).catch(() => undefined);
  if (server === undefined || seen.has(server)) continue;
  seen.add(server);
  const atMs = performance.timeOrigin + performance.now();
  process.stdout.write(`${JSON.stringify({ event: 'seen', server, atMs })}\n`);
}
