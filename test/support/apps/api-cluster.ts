/**
 * api-server in several workers of node:cluster, which share one port, as in PM2's cluster mode.
 *
 * Settings: those of api-server, with a `URL` whose port is not 0; `WORKERS` (4). Events: those of the
 * workers; `up` once all workers are registered; `rolled` when SIGUSR2 has replaced each worker by a new one:
 * first the new worker is registered, then the old one ends by SIGTERM, as with `pm2 reload`.
 */
import cluster, { type Worker } from 'node:cluster';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { emit, endWithTestProcess, setting } from './app-events.js';

cluster.setupPrimary({ exec: fileURLToPath(new URL('./api-server.js', import.meta.url)) });
endWithTestProcess();
process.on('SIGTERM', () => {
  for (const worker of Object.values(cluster.workers ?? {})) worker?.kill('SIGTERM');
  process.exit();
});

async function start(): Promise<Worker> {
  const worker = cluster.fork();
  await once(worker, 'message');
  return worker;
}

async function replace(worker: Worker): Promise<void> {
  await start();
  const exit = once(worker, 'exit');
  worker.process.kill('SIGTERM');
  await exit;
}

const workers = await Promise.all(
  Array.from({ length: Number(setting('WORKERS', '4')) }, () => start()),
);
process.once('SIGUSR2', () => {
  void (async () => {
    for (const worker of workers) await replace(worker);
    emit('rolled');
  })();
});
emit('up');
