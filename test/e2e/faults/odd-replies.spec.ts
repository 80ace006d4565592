/**
 * An etcd whose replies are incomplete or impossible causes retries with growing delays, a line in the log,
 * and no crash.
 */
import { status } from '@grpc/grpc-js';
import { EtcdRegistry } from 'nestjs-grpc-discovery';
import { filter, firstValueFrom, map, ReplaySubject } from 'rxjs';
import { beforeAll, describe, expect, it } from 'vitest';
import { describeEvent } from '../../../lib/nest/discovery-logger.service.js';
import { type Answer, type Method, OddEtcd } from '../../support/odd-etcd.js';

const header = { cluster_id: '1', member_id: '1', revision: '5', raft_term: '1' };
const kv = {
  key: Buffer.from('api/a'),
  value: Buffer.from('{"Op":0,"Addr":"127.0.0.1:1","Metadata":null}'),
  lease: '7',
  mod_revision: '3',
};
const created = { header, created: true };

/** Valid answers; they cause three keepalives a second. */
const REPLIES = {
  range: [{ header, kvs: [kv] }],
  txn: [{ header, succeeded: true }],
  leaseGrant: [{ header, ID: '7', TTL: '1' }],
  leaseRevoke: [{ header }],
  leaseKeepAlive: [{ header, ID: '7', TTL: '1' }],
  watch: [created, { header, events: [{ type: 'Put', kv }] }],
  authenticate: [{ header, token: 'token' }],
  memberList: [{ header, members: [{ name: 'm', clientURLs: ['http://127.0.0.1:1'] }] }],
} satisfies Record<Method, Answer>;

const denied = { code: status.PERMISSION_DENIED, details: 'etcdserver: permission denied' };
const stale = { code: status.UNAUTHENTICATED, details: 'etcdserver: invalid auth token' };
const METHODS = ['range', 'txn', 'leaseGrant', 'leaseKeepAlive', 'watch', 'authenticate'] as const;
const found = (one: object): Answer => [
  { header, succeeded: false, responses: [{ response_range: { kvs: [one] } }] },
];

/** The replies that differ from `REPLIES`, by case. */
const CASES: readonly (readonly [string, Partial<Record<Method, Answer>>])[] = [
  ...METHODS.flatMap((method): (readonly [string, Partial<Record<Method, Answer>>])[] => [
    [`${method}: bytes that are not a message`, { [method]: [Buffer.from([255, 255])] }],
    [`${method}: permission denied`, { [method]: denied }],
    [`${method}: invalid auth token`, { [method]: stale }],
    // An empty reply to a watch is valid: the watch is just not confirmed yet.
    [`${method}: an empty message`, { [method]: method === 'watch' ? [{ created: true }] : [{}] }],
  ]),
  ['a list without a header', { range: [{ kvs: [kv] }] }],
  ['a list of a negative revision', { range: [{ header: { ...header, revision: '-9' } }] }],
  ['a list that never ends', { range: [{ header, kvs: [kv], more: true }] }],
  ['a list with more keys after an empty page', { range: [{ header, more: true }] }],
  ['a list of other keys', { range: [{ header, kvs: [{ ...kv, key: Buffer.from('zzz/1') }] }] }],
  [
    'a watch that is confirmed for another cluster',
    { watch: [{ header: { ...header, cluster_id: '2' }, created: true }] },
  ],
  [
    'a watch that is confirmed at an older revision',
    { watch: [{ header: { ...header, revision: '1' }, created: true }] },
  ],
  ['a watch that is confirmed and cancelled', { watch: [{ ...created, canceled: true }] }],
  ['a watch with changes before it is confirmed', { watch: REPLIES.watch.toReversed() }],
  ['a change without a key', { watch: [created, { header, events: [{ type: 'Put' }] }] }],
  [
    'a change of another key',
    {
      watch: [
        created,
        { header, events: [{ type: 'Put', kv: { ...kv, key: Buffer.from('zzz/1') } }] },
      ],
    },
  ],
  ['a lease with a time to live of 0', { leaseGrant: [{ header, ID: '7', TTL: '0' }] }],
  ['a lease with a negative time to live', { leaseGrant: [{ header, ID: '7', TTL: '-1' }] }],
  ['a lease without an ID', { leaseGrant: [{ header, TTL: '1' }] }],
  [
    'a lease that every renewal reports as gone',
    { leaseKeepAlive: [{ header, ID: '7', TTL: '0' }] },
  ],
  ['the renewal of another lease', { leaseKeepAlive: [{ header, ID: '8', TTL: '1' }] }],
  ['a record that both exists and does not', { txn: found(kv) }],
  ['a record of no revision', { txn: found({ ...kv, lease: '8', mod_revision: '0' }) }],
];

interface Outcome {
  readonly calls: ReadonlyMap<Method, number>;
  readonly warnings: readonly string[];
}

/** How long the test watches each case after its first warning, in milliseconds. */
const LOOK_MS = 1_000;
/** How many cases run at the same time. */
const AT_ONCE = 14;

async function lookAt(answers: Partial<Record<Method, Answer>>): Promise<Outcome> {
  const given = Object.entries({ ...REPLIES, ...answers });
  const etcd = await OddEtcd.start(
    Object.fromEntries(given.map(([method, answer]) => [method, () => answer])),
  );
  const auth = { username: 'api', password: 'secret' };
  // Failing attempts are retried after 0.1, 0.2, 0.4, 0.8 s.
  const registry = new EtcdRegistry({ hosts: etcd.hosts, auth }, { random: () => 0.5 });
  const warnings: string[] = [];
  const events = new ReplaySubject<readonly [string, string]>();
  registry.events$.pipe(map(describeEvent)).subscribe(events);
  events.subscribe(([level, line]) => level === 'warn' && warnings.push(line));
  const endpoint = { address: '127.0.0.1:1', metadata: null };
  registry.register({ service: 'api', key: 'a', endpoint, ttlSeconds: 1 });
  registry.watch('api').subscribe();
  await firstValueFrom(events.pipe(filter(([level]) => level === 'warn')));
  await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  const outcome = { calls: new Map(etcd.calls), warnings: [...warnings] };
  await registry.close();
  etcd.stop();
  return outcome;
}

describe('replies that no etcd gives', () => {
  const outcomes = new Map<string, Outcome>();
  beforeAll(async () => {
    for (let start = 0; start < CASES.length; start += AT_ONCE) {
      const batch = CASES.slice(start, start + AT_ONCE);
      await Promise.all(
        batch.map(async ([name, answers]) => outcomes.set(name, await lookAt(answers))),
      );
    }
  }, 120_000);

  it.each(CASES)('%s: retries come with growing delays, and the log has few lines', (name) => {
    const { calls, warnings } = outcomes.get(name) ?? { calls: new Map(), warnings: [] };
    expect(warnings.length).toBeGreaterThan(0);
    // One warning per case; if requests succeed in between, one each time.
    expect(warnings.length).toBeLessThanOrEqual(6);
    // A handful of attempts in `LOOK_MS`, with three requests each in the cases about tokens. Without backoff
    // there would be hundreds.
    expect(Math.max(...calls.values())).toBeLessThanOrEqual(40);
  });
});
