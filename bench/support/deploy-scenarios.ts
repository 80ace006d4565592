/** What happens to the servers in the bench `deploys`, one function for each kind of deploy or failure. */
import { setTimeout as pause } from 'node:timers/promises';
import type { ClientOptions, ServerOptions, Side, Tally } from '../../test/interop/fleet.js';
import { asTally } from '../../test/interop/fleet.js';
import { DeployStage, type Ending, FULL_SPEED } from '../../test/support/deploy-stage.js';
import type { ProcessEvent } from '../../test/support/event-process.js';
import { freePort } from '../../test/support/free-port.js';

/** How long and how often a scenario disturbs the servers. */
export interface Form {
  readonly rounds: number;
  readonly freezeMs: number;
  readonly downMs: number;
  readonly ageMs: number;
}

/** A full form, and a short one for a quick look. */
export const FORMS: Readonly<Record<'full' | 'short', Form>> = {
  full: { rounds: 5, freezeMs: 10_000, downMs: 45_000, ageMs: 10_000 },
  short: { rounds: 1, freezeMs: 3_000, downMs: 6_000, ageMs: 3_000 },
};

/** The side, etcd and service that a scenario runs with. */
export interface Place {
  readonly side: Side;
  readonly etcd: string;
  /** The name of a service that only this scenario uses. */
  readonly service: string;
  readonly form: Form;
}

/** How long to wait for a Go client, in milliseconds: grpc-go's longest backoff is 120 s, varied by 20 %. */
const GO_BACKOFF_MS = 150_000;

type Server = Omit<ServerOptions, 'id'>;

const stageAt = ({ side, etcd, service }: Place, server: Server = {}): DeployStage =>
  new DeployStage(side, etcd, service, server, FULL_SPEED);

/** Restarts each of three servers once a round, while the clients call. */
export async function rollingRestart(
  place: Place,
  ending: Ending,
  calls: readonly ClientOptions[],
  server: Server = {},
): Promise<Tally[]> {
  const stage = stageAt(place, server);
  await stage.grow(3);
  await stage.call(...calls);
  for (let round = 0; round < place.form.rounds; round += 1) {
    for (const index of [0, 1, 2]) await stage.restart(index, ending);
  }
  return finish(stage);
}

/** Scales from 3 servers to 6, and down to 2, while the clients call. */
export async function scale(
  place: Place,
  calls: readonly ClientOptions[],
  server: Server = {},
): Promise<Tally[]> {
  const stage = stageAt(place, server);
  await stage.grow(3);
  await stage.call(...calls);
  await stage.grow(3);
  await stage.calls(320);
  await stage.shrink(2, 'SIGTERM');
  return finish(stage);
}

/** Kills one of three servers while the clients call. */
export async function killOne(place: Place, calls: readonly ClientOptions[]): Promise<Tally[]> {
  const stage = stageAt(place);
  await stage.grow(3);
  await stage.call(...calls);
  stage.at(0).kill('SIGKILL');
  const tallies = await finish(stage);
  const late = tallies.find(({ lateFailures = 0 }) => lateFailures > 0);
  if (late !== undefined) {
    throw new Error(
      `${late.lateFailures} of ${late.failed} failed calls were begun after the loss`,
    );
  }
  return tallies;
}

/** What a frozen server costs. */
export interface FrozenOutcome {
  readonly failed: number;
  /** The time from the freeze to the last failed call, in milliseconds. */
  readonly cleanMs: number;
}

/** Freezes one of three servers for a while. */
export async function freezeOne(place: Place, call: ClientOptions): Promise<FrozenOutcome> {
  const stage = stageAt(place);
  await stage.grow(3);
  await stage.call(call);
  const frozenMs = Date.now();
  stage.at(0).kill('SIGSTOP');
  await pause(place.form.freezeMs);
  stage.at(0).kill('SIGCONT');
  const [tally] = await finish(stage);
  if (tally === undefined) throw new Error('no client');
  const { failed, lastFailureMs = frozenMs } = tally;
  return { failed, cleanMs: Math.max(0, lastFailureMs - frozenMs) };
}

/** Kills all servers and starts one again; resolves with the time from its record to the first answer. */
export async function downAndBack(place: Place): Promise<number> {
  const ports = await Promise.all([freePort(), freePort(), freePort()]);
  const stage = stageAt(place, { ttlSeconds: 60 });
  for (const port of ports) await stage.grow(1, { port });
  const [client] = await stage.call({ concurrency: 4, intervalMs: 20, timeoutMs: 1_000 });
  await stage.shrink(0, 'SIGKILL');
  await pause(place.form.downMs);
  await stage.grow(1, { port: ports[0] });
  const registeredMs = Date.now();
  if (client === undefined) throw new Error('no client');
  const { recoveredMs = registeredMs } = asTally(
    await client.nextEvent(hasRecovered, GO_BACKOFF_MS),
  );
  await finish(stage, 0);
  return Math.max(0, recoveredMs - registeredMs);
}

function hasRecovered(event: ProcessEvent): boolean {
  return asTally(event).recoveredMs !== undefined;
}

/** Runs calls on connections that the servers end at an age of at most 400 ms. */
export async function ageStorm(place: Place, calls: readonly ClientOptions[]): Promise<Tally[]> {
  const stage = stageAt(place, {
    serviceOptions: { maxConnectionAgeMs: 400 },
    goFlags: { 'max-age-ms': 400 },
  });
  await stage.grow(3);
  await stage.call(...calls);
  await pause(place.form.ageMs);
  return finish(stage);
}

/** Waits for some more calls, then counts them and stops everything. */
async function finish(stage: DeployStage, calls = 64): Promise<Tally[]> {
  if (calls > 0) await stage.calls(calls);
  const tallies = await stage.finish();
  await stage.clear();
  return tallies;
}
