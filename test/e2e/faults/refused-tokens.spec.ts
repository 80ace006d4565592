/**
 * An etcd that issues tokens and rejects every one: requests end, and are not repeated forever in the
 * background.
 */
import { status } from '@grpc/grpc-js';
import { EtcdRegistry } from 'nestjs-grpc-discovery';
import { filter, firstValueFrom } from 'rxjs';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { OddEtcd } from '../../support/odd-etcd.js';

const refuse = () => ({
  code: status.UNAUTHENTICATED,
  details: 'etcdserver: invalid auth token',
});

let etcd: OddEtcd;
beforeEach(async () => {
  let tokens = 0;
  etcd = await OddEtcd.start({
    range: refuse,
    txn: refuse,
    authenticate: () => [{ token: `token-${++tokens}` }],
  });
});
afterEach(() => etcd.stop());

it('a list fails after three rejected tokens, and the error says so', async () => {
  const registry = new EtcdRegistry({
    hosts: etcd.hosts,
    auth: { username: 'api', password: 'a secret' },
    // The registry makes only one attempt: the next one comes much later.
    timings: { backoffBaseMs: 60_000, backoffCapMs: 60_000 },
  });
  try {
    const update = await firstValueFrom(
      registry.watch('api').pipe(filter(({ kind }) => kind === 'failure')),
    );
    expect(update).toMatchObject({ error: { code: 'REGISTRY_REJECTED' } });
    expect(etcd.calls.get('authenticate')).toBe(3);
    // Nothing runs in the background: the count is the same after many turns of the event loop and a request
    // for another service.
    await firstValueFrom(registry.watch('other').pipe(filter(({ kind }) => kind === 'failure')));
    expect(etcd.calls.get('range')).toBe(6);
    expect(etcd.calls.get('authenticate')).toBeLessThanOrEqual(6);
  } finally {
    await registry.close();
  }
});
