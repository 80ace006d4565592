/**
 * A client process that calls at a steady rate. It prints an event `seen` when a server answers for the first
 * time, and an event `left` with the time of the last call to a server that gets no more calls; each has
 * `server` and `atMs`, the time of day. It ends when its standard input closes. Arguments: hosts of etcd,
 * service, calls per second.
 */
import { clientOf, openClients } from './balanced-fleet.js';
import { pace } from './pacer.js';

const [, , host = '', service = '', rate = '1000'] = process.argv;
const clients = await openClients([host]);
const client = clientOf(clients, service, { loadBalancing: 'round_robin' });
/** A server that has got no call for this time counts as left, in milliseconds. */
const QUIET_MS = 300;
const seen = new Set<string>();
const lastSentMs = new Map<string, number>();
const wallMs = (): number => performance.timeOrigin + performance.now();
const tell = (event: string, server: string, atMs: number): void => {
  process.stdout.write(`${JSON.stringify({ event, server, atMs })}\n`);
};
process.stdin.on('end', () => process.exit(0)).resume();
const call = async (): Promise<void> => {
  const sentMs = wallMs();
  const server = await client.call({ timeoutMs: 5_000 }).catch(() => undefined);
  if (server === undefined) return;
  lastSentMs.set(server, Math.max(sentMs, lastSentMs.get(server) ?? 0));
  if (seen.has(server)) return;
  seen.add(server);
  tell('seen', server, wallMs());
};
setInterval(() => {
  for (const [server, sentMs] of lastSentMs) {
    if (wallMs() - sentMs < QUIET_MS) continue;
    lastSentMs.delete(server);
    tell('left', server, sentMs);
  }
}, 50);
pace(Number(rate), () => void call());
