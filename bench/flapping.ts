/**
 * CPU and longest stall of a client: one record that changes all the time, and whole lists without a change.
 *
 * `npm run bench -- flapping [ENDPOINTS...]`, by default 2,000, 10,000 and 50,000. The client is a process of
 * its own with a subset of 8; one key is put and deleted 1,000 times a second. The references are the bounds
 * of docs/operations.md; for the CPU there is a second reference, a process that watches the same records and
 * ignores them, measured in turns with the client. A stall is CPU time of the process during which its event
 * loop did not turn; time that the machine gives to other processes does not count.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Server, ServerCredentials } from '@grpc/grpc-js';
import { Etcd3 } from 'etcd3';
import { EventProcess, stopEventProcesses } from '../test/support/event-process.js';
import { EtcdProcess } from '../test/support/etcd-process.js';
import { user } from './support/balanced-fleet.js';
import { type BenchResult, type BenchRow, benchRow } from './support/bench-result.js';
import { median } from './support/statistics.js';

const SERVICE = 'api';
const CHANGES_PER_SECOND = 1_000;
/** How many turns the client and the bare watch have. */
const ROUNDS = 2;
/** How many ticks of two seconds are measured in each turn. */
const TICKS = 4;
const SETTLE_TICKS = 2;
/** The client reads a whole list in each of the measured seconds. */
const RELIST_MS = 1_000;
/** The client reads no whole list during the run. */
const NO_RELIST_MS = 3_600_000;
/** How many records one transaction writes: etcd's own bound is 128. */
const BATCH = 100;

export async function run(parameters: readonly string[]): Promise<BenchResult> {
  const sizes = parameters.length > 0 ? parameters.map(Number) : [2_000, 10_000, 50_000];
  const rows: BenchRow[] = [];
  const notes: string[] = [];
  let version = '';
  for (const size of sizes) {
    const etcd = await EtcdProcess.start();
    version = `etcd ${etcd.binary.version}`;
    const writer = new Etcd3({ hosts: etcd.hosts });
    const server = new Server();
    let isOver = false;
    try {
      await fill(writer, await listen(server), size);
      const flapping: Tick[] = [];
      const bare: Tick[] = [];
      const written = flap(writer, () => isOver);
      for (let round = 0; round < ROUNDS; round++) {
        flapping.push(...(await measure('stall-client', etcd, NO_RELIST_MS)));
        bare.push(...(await measure('bare-watch-client', etcd)));
      }
      isOver = true;
      notes.push(`${size} endpoints: ${await written} changes a second were written`);
      const listing = await measure('stall-client', etcd, RELIST_MS);
      const what = `${size} endpoints, ${CHANGES_PER_SECOND} changes/s`;
      const isLong = size > 10_000;
      rows.push(
        row(`${what}: CPU of the client`, '%', cpu(flapping), 5),
        benchRow({
          name: `${what}: CPU of the client`,
          unit: '%',
          ours: cpu(flapping),
          reference: cpu(bare),
          referenceName: 'a bare watch that does nothing',
        }),
        row(`${what}: longest stall`, 'ms', longest(flapping), isLong ? 150 : 50),
        row(
          `a list of ${size} that changed nothing: longest stall`,
          'ms',
          longest(listing),
          isLong ? 100 : 20,
        ),
      );
    } finally {
      isOver = true;
      writer.close();
      server.forceShutdown();
      await stopEventProcesses();
      await etcd.stop();
    }
  }
  return { bench: 'flapping', node: process.version, etcd: version, rows, notes };
}

interface Tick {
  readonly cpuPercent: number;
  readonly stallMs: number;
}

/** The ticks that a process of `bench/support` reports, once it has settled. */
async function measure(entry: string, etcd: EtcdProcess, relistMs?: number): Promise<Tick[]> {
  const path = fileURLToPath(new URL(`./support/${entry}.js`, import.meta.url));
  const args = [path, etcd.hosts[0] ?? '', SERVICE, String(relistMs)];
  const client = new EventProcess(process.execPath, args, { name: entry });
  const ticks: Tick[] = [];
  for (let count = 0; count < SETTLE_TICKS + TICKS; count++) {
    const tick = (await client.nextEvent('tick', 120_000)) as unknown as Tick;
    if (count >= SETTLE_TICKS) ticks.push(tick);
  }
  await client.stop();
  return ticks;
}

function login(_call: unknown, answer: (error: null, value: object) => void): void {
  answer(null, { message: '', server: '' });
}

/** Starts a server that answers on every loopback address; returns its port. */
function listen(server: Server): Promise<number> {
  server.addService(user.User.service, { login });
  return new Promise((resolve, reject) => {
    server.bindAsync('0.0.0.0:0', ServerCredentials.createInsecure(), (error, port) =>
      error === null ? resolve(port) : reject(error),
    );
  });
}

/** Writes `size` records. All of them are the one server, each under another of its loopback addresses. */
async function fill(writer: Etcd3, port: number, size: number): Promise<void> {
  for (let from = 0; from < size; from += BATCH) {
    const puts = Array.from({ length: Math.min(BATCH, size - from) }, (_, offset) => {
      const place = from + offset;
      const address = `127.${1 + (place >> 16)}.${(place >> 8) & 255}.${place & 255}:${port}`;
      return writer.put(`${SERVICE}/${address}`).value(record(address));
    });
    await writer
      .if('none', 'Version', '==', 0)
      .then(...puts)
      .commit();
  }
}

function record(address: string): string {
  const metadata = { version: '1.2.3', region: 'eu-1' };
  return JSON.stringify({ Op: 0, Addr: address, Metadata: metadata });
}

/** Puts and deletes one key in turn; returns how many changes a second were written. */
async function flap(writer: Etcd3, isOver: () => boolean): Promise<number> {
  const key = `${SERVICE}/flapping`;
  const value = record('127.0.0.9:1');
  const everyMs = 20;
  const started = performance.now();
  let asked = 0;
  let written = 0;
  while (!isOver()) {
    const due = ((performance.now() - started) / 1_000) * CHANGES_PER_SECOND;
    for (; asked < due && asked < written + CHANGES_PER_SECOND; asked++) {
      const change = asked % 2 === 0 ? writer.put(key).value(value) : writer.delete().key(key);
      void change.exec().then(
        () => written++,
        () => {},
      );
    }
    await pause(everyMs);
  }
  return Math.round((written * 1_000) / (performance.now() - started));
}

function cpu(ticks: readonly Tick[]): number {
  return median(ticks.map(({ cpuPercent }) => cpuPercent));
}

function longest(ticks: readonly Tick[]): number {
  return Math.max(...ticks.map(({ stallMs }) => stallMs));
}

function row(name: string, unit: string, ours: number, bound: number): BenchRow {
  return benchRow({ name, unit, ours, reference: bound, referenceName: 'the bound' });
}
