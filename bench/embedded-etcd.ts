/**
 * The embedded etcd against a real one: start, leased puts with a watcher keeping pace, lists, revocation.
 *
 * The start of the embedded etcd is `EmbeddedEtcd.start()`, in a new process each time, after its modules
 * were loaded. The start of the real etcd ends with the first good health check. In all other rows the client
 * is this process. The embedded server runs in it too, as in an application's tests, so that both share one
 * thread, while the real etcd has its own. The two servers take turns; figures are medians.
 */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { EmbeddedEtcd } from '../lib/testing/index.js';
import { RawClient } from '../test/contract/raw-client.js';
import { EtcdProcess, findEtcdBinaries } from '../test/support/etcd-process.js';
import { type BenchResult, benchRow } from './support/bench-result.js';
import { median } from './support/statistics.js';

const rounds = 5;
const keys = 10_000;
const concurrency = 64;

/** The figures of one server, in the units of the rows. */
interface Figures {
  readonly startMs: number;
  readonly putsPerSecond: number;
  readonly listMs: number;
  readonly revokeMs: number;
}

/** Measures both servers and compares them. */
export async function run(): Promise<BenchResult> {
  const binary = findEtcdBinaries().at(-1);
  if (binary === undefined)
    throw new Error('no etcd to compare with: install one, or build .cache/etcd');
  const ours: Figures[] = [];
  const reference: Figures[] = [];
  for (let round = 0; round < rounds; round++) {
    const startMs = await embeddedStartMs();
    const embedded = await EmbeddedEtcd.start();
    ours.push(await measure(startMs, `127.0.0.1:${embedded.port}`));
    await embedded.stop();

    const startedMs = performance.now();
    const real = await EtcdProcess.start({ binary });
    reference.push(await measure(performance.now() - startedMs, `127.0.0.1:${real.port}`));
    await real.stop();
  }
  const row = (name: string, unit: string, figure: keyof Figures) =>
    benchRow({
      name,
      unit,
      ours: median(ours.map((figures) => figures[figure])),
      reference: median(reference.map((figures) => figures[figure])),
      referenceName: `etcd ${binary.version} as a process`,
    });
  return {
    bench: 'embedded-etcd',
    node: process.version,
    etcd: `etcd ${binary.version}`,
    rows: [
      row('start to ready', 'ms', 'startMs'),
      row(`${keys} leased puts, answered and watched`, 'puts/s', 'putsPerSecond'),
      row(`range of ${keys} keys`, 'ms', 'listMs'),
      row(`revocation of ${keys} keys`, 'ms', 'revokeMs'),
    ],
    notes: [
      spread('start to ready, ms, embedded', ours, 'startMs'),
      spread('puts/s, embedded', ours, 'putsPerSecond'),
      spread('puts/s, etcd', reference, 'putsPerSecond'),
    ],
  };
}

/** Measures one server: one lease with all keys under it, and a watcher on their prefix. */
async function measure(startMs: number, address: string): Promise<Figures> {
  const client = new RawClient(address);
  const range = { key: Buffer.from('key/'), range_end: Buffer.from('key0') };
  const value = Buffer.from(JSON.stringify({ Op: 0, Addr: '10.0.0.1:50051', Metadata: null }));
  const { reply } = await client.call('Lease/LeaseGrant', { TTL: 600 });
  const lease = reply?.['ID'];
  const watch = client.stream('Watch/Watch');
  watch.send({ create_request: range });
  await watch.next();
  let seen = 0;
  const watched = (async (): Promise<void> => {
    while (seen < keys) seen += ((await watch.next(60_000))['events'] as unknown[]).length;
  })();

  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < keys) {
      const key = Buffer.from(`key/${next++}`);
      const { refusal } = await client.call('KV/Put', { key, value, lease });
      if (refusal !== undefined) throw new Error(`put failed: ${refusal.details}`);
    }
  };
  const putsMs = await timeMs(() =>
    Promise.all([watched, ...Array.from({ length: concurrency }, worker)]),
  );
  const listMs = await timeMs(() => client.call('KV/Range', range));
  const revokeMs = await timeMs(() => client.call('Lease/LeaseRevoke', { ID: lease }));
  watch.cancel();
  client.close();
  return { startMs, putsPerSecond: (keys / putsMs) * 1000, listMs, revokeMs };
}

async function embeddedStartMs(): Promise<number> {
  const module = new URL('../lib/testing/index.js', import.meta.url).href;
  const script = `
    const { EmbeddedEtcd } = await import(${JSON.stringify(module)});
    const startedMs = performance.now();
    const etcd = await EmbeddedEtcd.start();
    console.log(performance.now() - startedMs);
    await etcd.stop();`;
  const parameters = ['--input-type=module', '--eval', script];
  const { stdout } = await promisify(execFile)(process.execPath, parameters);
  return Number(stdout);
}

async function timeMs(job: () => Promise<unknown>): Promise<number> {
  const startedMs = performance.now();
  await job();
  return performance.now() - startedMs;
}

function spread(name: string, figures: readonly Figures[], figure: keyof Figures): string {
  const values = figures.map((each) => each[figure]).sort((a, b) => a - b);
  return `${name}: ${values.map((value) => value.toFixed(figure === 'startMs' ? 1 : 0)).join(' ')}`;
}
