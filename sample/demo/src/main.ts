/**
 * The demonstration behind `npm start`: server processes come and go, and a client follows. It waits for
 * states in etcd and in the client's answers, never for time to pass.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { type FoundEtcd, findEtcd } from './find-etcd.js';
import { isPortFree } from './ports.js';
import { type RunningServer, Stage, TTL_SECONDS } from './stage.js';

const PORTS = [9999, 9998, 9997];
/** The number of calls that show the rotation: a multiple of the number of servers. */
const ROTATION = 150;
/** How long the records of an earlier run may take to expire, in milliseconds. */
const LEFTOVERS_MS = (TTL_SECONDS + 5) * 1_000;

async function play(stage: Stage): Promise<void> {
  const { calls, records } = stage;
  await records.untilKnown();
  await refuseStrangers(stage);

  console.log('\n1. Three servers start, each in a process of its own.');
  const [first, second, third] = await startServers(stage);
  console.log(`   in etcd: ${records.addresses?.join(', ')}`);

  console.log('\n2. A client starts, which knows no address. Its calls rotate over the three.');
  const client = stage.startClient();
  const addresses = [first.address, second.address, third.address];
  await calls.untilSharedBy(addresses, 3);
  const from = calls.answers.length;
  await calls.untilAnswered(ROTATION);
  console.log(`   the first few:  ${calls.answers.slice(from, from + 6).join(' ')} ...`);
  console.log(`   of ${ROTATION} calls:   ${calls.describeShares(from, from + ROTATION)}`);

  console.log(`\n3. ${third.address} gets SIGTERM. It takes its record out before it closes.`);
  await stopServer(stage, third, [first.address, second.address]);

  console.log(
    `\n4. ${second.address} is killed with -9, right after an answer. Its record stays behind.`,
  );
  await killServer(stage, second, [first.address]);

  console.log('\n5. A new server starts, on a port that nobody has been told.');
  const fresh = await stage.startServer(0);
  const there = performance.now();
  await calls.untilNextAnswerOf(fresh.address);
  console.log(`   ${fresh.address} answered ${since(there)} ms after its record was seen`);
  await calls.untilAnswered(30);
  await calls.untilSharedBy([first.address, fresh.address], 30);
  console.log(`   the last 30 calls: ${calls.describeShares(calls.answers.length - 30)}`);

  console.log('\n6. Everything stops, the client first.');
  await client.stop();
  await stage.stopProcesses();
  await records.untilEmpty();
  console.log('   every process has ended, and etcd has no record of "api" any more');
}

async function startServers(stage: Stage): Promise<[RunningServer, RunningServer, RunningServer]> {
  const [first, second, third] = await Promise.all(
    PORTS.map(async (port) => {
      const free = await isPortFree(port);
      if (!free) console.log(`   port ${port} is taken; a free one is used instead`);
      return stage.startServer(free ? port : 0);
    }),
  );
  if (first === undefined || second === undefined || third === undefined) {
    throw new Error('three servers are needed');
  }
  return [first, second, third];
}

async function stopServer(stage: Stage, server: RunningServer, rest: string[]): Promise<void> {
  const { calls, records } = stage;
  const failedBefore = calls.failures.length;
  const sent = performance.now();
  server.process.kill('SIGTERM');
  await records.untilGone(server.address);
  console.log(`   its record was out after ${since(sent)} ms`);
  const how = await server.process.ended;
  console.log(`   the process ended after ${since(sent)} ms (${how})`);
  await calls.untilAnswered(30);
  await calls.untilSharedBy(rest, 30);
  const lastAnswer = (calls.lastAnswerOf(server.address) ?? sent) - sent;
  console.log(
    lastAnswer > 0
      ? `   its last answer came ${Math.round(lastAnswer)} ms after the signal`
      : '   it was not called after the signal',
  );
  console.log(`   calls that failed: ${calls.failures.length - failedBefore}`);
  console.log(`   the last 30 calls: ${calls.describeShares(calls.answers.length - 30)}`);
}

async function killServer(stage: Stage, server: RunningServer, rest: string[]): Promise<void> {
  const { calls, records } = stage;
  const failedBefore = calls.failures.length;
  // The server is killed between two calls: a call in flight would fail, and the client could not know
  // whether the server had processed it.
  await calls.untilNextAnswerOf(server.address);
  const sent = performance.now();
  server.process.kill('SIGKILL');
  await server.process.ended;
  await calls.untilAnswered(30);
  await calls.untilSharedBy(rest, 30);
  const listed = records.addresses?.includes(server.address) === true;
  console.log(
    `   after ${since(sent)} ms the client has made 30 calls without it; its record is ${listed ? 'still' : 'no longer'} in etcd`,
  );
  console.log(`   calls that failed: ${calls.failures.length - failedBefore}`);
  await records.untilGone(server.address);
  console.log(
    `   its record ran out after ${since(sent)} ms (time to live: ${TTL_SECONDS} s here, 10 s by default)`,
  );
}

/**
 * Fails if other servers have the same service name, because they would take part. Records of an earlier run
 * expire by themselves.
 */
async function refuseStrangers({ records }: Stage): Promise<void> {
  if (records.addresses?.length === 0) return;
  console.log(`"api" has records already: ${records.addresses?.join(', ')}; waiting for their end`);
  const given = new AbortController();
  const empty = records.untilEmpty().then(() => true);
  const late = delay(LEFTOVERS_MS, false, { signal: given.signal });
  late.catch(() => undefined);
  empty.catch(() => undefined);
  const gone = await Promise.race([empty, late]);
  given.abort();
  if (gone) return;
  throw new Error(
    'other servers are registered as "api" in this etcd and would be called too; stop them, or unset ETCD_HOSTS',
  );
}

function since(start: number): number {
  return Math.round(performance.now() - start);
}

/** Rejects when this process gets a signal to end, so that it first ends everything that it started. */
function interruption(): Promise<never> {
  return new Promise((_, reject) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) {
      process.on(signal, () => reject(new Error(`ended by ${signal}`)));
    }
  });
}

async function run(etcd: FoundEtcd): Promise<void> {
  const stage = new Stage(etcd);
  try {
    await Promise.race([play(stage), interruption()]);
  } catch (error) {
    console.log(`\n${error instanceof Error ? error.message : String(error)}`);
    process.exitCode = 1;
  } finally {
    await stage.close();
  }
  const { calls } = stage;
  console.log(
    `\ndemo: ${calls.total} calls, ${calls.failures.length} failed, ${calls.servers.size} servers seen`,
  );
}

const etcd = await findEtcd();
console.log(`etcd: ${etcd.description}, ${etcd.hosts.join(', ')}`);
await run(etcd);
// After a failure a promise may be pending forever, because what it waits for was stopped.
if (process.exitCode === 1) process.exit();
