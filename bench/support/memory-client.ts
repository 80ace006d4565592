/**
 * A client process whose first call and memory are measured. It calls once, or as often as its argument says,
 * waits until its memory no longer grows, prints how long the first call took and how much memory the process
 * uses, and ends when its standard input closes. Arguments: hosts of etcd, service, `ours`, `subset` or
 * `round_robin`, and the number of calls.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { clientOf, openClients } from './balanced-fleet.js';

const [, , host = '', service = '', kind = '', calls = '1'] = process.argv;
const clients = await openClients([host]);
const started = performance.now();
const client =
  kind === 'round_robin'
    ? clients.roundRobin(service)
    : clientOf(clients, service, kind === 'subset' ? { subsetSize: 32 } : {});
await client.call({ timeoutMs: 60_000 });
const firstCallMs = performance.now() - started;
for (let call = 1; call < Number(calls); call++) await client.call();
const megabytes = (): number => process.memoryUsage.rss() / 1_048_576;
for (let before = 0, calm = 0; calm < 5;) {
  await pause(300);
  const now = megabytes();
  calm = Math.abs(now - before) < 1 ? calm + 1 : 0;
  before = now;
}
process.stdout.write(
  `${JSON.stringify({ event: 'settled', megabytes: megabytes(), firstCallMs })}\n`,
);
process.stdin.on('end', () => process.exit(0)).resume();
