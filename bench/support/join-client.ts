/**
 * A client process that calls at a steady rate, and says when a server answers for the first time: `seen` with `server` and `atMs`,
 * by the clock on the wall. Ends when its standard input closes. Arguments: hosts of etcd, service, calls per second.
 */
import { clientOf, openClients } from './balanced-fleet.js';

const [, , host = '', service = '', rate = '1000'] = process.argv;
const clients = await openClients([host]);
const client = clientOf(clients, service, { loadBalancing: 'round_robin' });
const seen = new Set<string>();
process.stdin.on('end', () => process.exit(0)).resume();
const call = async (): Promise<void> => {
  const server = await client.call({ timeoutMs: 5_000 }).catch(() => undefined);
  if (server === undefined || seen.has(server)) return;
  seen.add(server);
  const atMs = performance.timeOrigin + performance.now();
  process.stdout.write(`${JSON.stringify({ event: 'seen', server, atMs })}\n`);
};
const startedMs = performance.now();
let sent = 0;
setInterval(() => {
  const due = ((performance.now() - startedMs) * Number(rate)) / 1_000;
  for (; sent < due; sent++) void call();
}, 1);
