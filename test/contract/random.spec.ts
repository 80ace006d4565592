/** Sends the same random requests to every server: all answers and events must be the same. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { seededRandom } from '../support/seeded-random.js';
import { CaseServer } from './case-server.js';
import { RawClient } from './raw-client.js';
import { type RunningTarget, contractTargets } from './targets.js';

/** Makes random requests; the same requests for the same seed. */
class RandomRequests {
  private readonly random: () => number;

  constructor(
    private readonly server: CaseServer,
    private readonly leases: readonly string[],
    seed: number,
  ) {
    this.random = seededRandom(seed);
  }

  /** The path and the request of the next call. */
  next(): [path: string, request: object] {
    const dice = this.random();
    if (dice < 0.25) return ['KV/Put', this.put()];
    if (dice < 0.5) return ['KV/Range', this.range()];
    if (dice < 0.6) return ['KV/DeleteRange', { ...this.keys(), prev_kv: this.maybe(0.5) }];
    if (dice < 0.94) return ['KV/Txn', this.txn(2)];
    if (dice < 0.98) return ['KV/Compact', { revision: this.revision(), physical: true }];
    const ID = this.pick([...this.leases, '99']);
    return ['Lease/LeaseTimeToLive', { ID, keys: false }];
  }

  private put(): object {
    return {
      key: this.key(),
      value: Buffer.from(this.maybe(0.2) ? '' : `v${this.below(4)}`),
      lease: this.maybe(0.2) ? this.pick([...this.leases, '99']) : 0,
      prev_kv: this.maybe(0.3),
      ignore_value: this.maybe(0.1),
      ignore_lease: this.maybe(0.1),
    };
  }

  private range(): object {
    return {
      ...this.keys(),
      limit: this.maybe(0.3) ? this.below(4) : 0,
      revision: this.maybe(0.3) ? this.revision() : 0,
      sort_order: this.below(3),
      sort_target: this.maybe(0.5) ? this.pick([0, 2]) : 0,
      keys_only: this.maybe(0.1),
      count_only: this.maybe(0.1),
      min_mod_revision: this.maybe(0.1) ? this.revision() : 0,
      max_create_revision: this.maybe(0.1) ? this.revision() : 0,
    };
  }

  private txn(depth: number): object {
    const some = (most: number, make: () => object): object[] =>
      Array.from({ length: this.below(most + 1) }, make);
    return {
      compare: some(2, () => this.compare()),
      success: some(3, () => this.operation(depth)),
      failure: some(2, () => this.operation(depth)),
    };
  }

  private operation(depth: number): object {
    const dice = this.random();
    if (dice < 0.45) return { request_put: this.put() };
    if (dice < 0.7) return { request_range: this.range() };
    if (dice < 0.85 || depth === 0) {
      return { request_delete_range: { ...this.keys(), prev_kv: this.maybe(0.5) } };
    }
    return { request_txn: this.txn(depth - 1) };
  }

  private compare(): object {
    const target = this.below(5);
    const field = ['version', 'create_revision', 'mod_revision', 'value', 'lease'][target] ?? '';
    const wanted = [
      this.below(3),
      this.revision(),
      this.revision(),
      Buffer.from(`v${this.below(4)}`),
      this.pick([0, ...this.leases]),
    ][target];
    const keys = this.maybe(0.2) ? this.keys() : { key: this.key() };
    return { ...keys, target, result: this.below(4), [field]: wanted };
  }

  private keys(): object {
    if (this.maybe(0.5)) return { key: this.key() };
    return { key: this.key(), range_end: this.server.key(`k${this.below(6)}`) };
  }

  private key(): Buffer {
    return this.maybe(0.01) ? Buffer.alloc(0) : this.server.key(`k${this.below(6)}`);
  }

  private revision(): number {
    return this.server.revision(this.below(90) - 1);
  }

  private below(bound: number): number {
    return Math.floor(this.random() * bound);
  }

  private maybe(chance: number): boolean {
    return this.random() < chance;
  }

  private pick<T>(values: readonly T[]): T {
    return values[this.below(values.length)] as T;
  }
}

/** Sends the requests of one seed. Returns every answer, then every event. */
async function play(client: RawClient, target: RunningTarget, seed: number): Promise<string[]> {
  const server = await CaseServer.open(client, target, `random-${seed}/`);
  // The order of the two ids must be the same on every server, because compares use it.
  const leases = [await server.lease(1_000, `10${seed}`), await server.lease(1_000, `20${seed}`)];
  const watch = await server.watch({ ...server.all(), prev_kv: true });
  const requests = new RandomRequests(server, leases, seed);
  const lines: string[] = [];
  for (let step = 0; step < 200; step++) {
    const [path, request] = requests.next();
    const answer = await server.call(path, request);
    lines.push(`${step} ${path} ${JSON.stringify(withoutTtl(answer))}`);
  }
  await server.put('end');
  const events = await watch.eventsMatching((event) => event.includes('put end='));
  server.close();
  return [...lines, ...events];
}

/** The answer without the remaining time to live, which depends on when it is asked for. */
function withoutTtl(answer: unknown): unknown {
  const { TTL, ...rest } = answer as Record<string, unknown>;
  return TTL === undefined || TTL === -1 ? answer : rest;
}

/**
 * A line without the reason of a refused transaction: if there are two reasons, etcd 3.4 may give the other
 * one, because it checks all puts before it checks reads.
 */
function withoutReason(line: string): string {
  return line.replace(/(KV\/Txn) \{"code".*/, '$1 refused');
}

const seeds = [1, 2, 3, 4];

describe('random requests', () => {
  const targets = contractTargets();
  /** The answers and events of each target and seed. */
  const answers = new Map<string, string[]>();
  const running: RunningTarget[] = [];

  beforeAll(async () => {
    for (const target of targets) {
      const server = await target.start();
      running.push(server);
      const client = new RawClient(server.address);
      for (const seed of seeds) {
        answers.set(`${target.name} ${seed}`, await play(client, server, seed));
      }
      client.close();
    }
  });
  afterAll(async () => {
    for (const server of running) await server.stop();
  });

  describe.each(targets.slice(1).map(({ name }) => name))('to %s', (name) => {
    it.each(seeds)('are answered as the embedded server answers them (seed %i)', (seed) => {
      const [ours, theirs] = ['embedded', name].map((server) => {
        const lines = answers.get(`${server} ${seed}`) ?? [];
        return name === 'etcd 3.4' ? lines.map(withoutReason) : lines;
      });
      expect(ours).toEqual(theirs);
    });
  });

  it('together get every listed kind of answer and of refusal', () => {
    const lines = seeds.flatMap((seed) => answers.get(`embedded ${seed}`) ?? []);
    for (const text of [
      'compacted',
      'future',
      'duplicate key',
      'lease not found',
      'key is not provided',
      'key not found',
      'lease is provided',
      'succeeded',
      'prev_kv',
      'response_txn',
      '"more"',
    ]) {
      expect([text, lines.some((line) => line.includes(text))]).toEqual([text, true]);
    }
  });
});
