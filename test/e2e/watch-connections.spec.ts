/** A watch that fails does not affect other watches. */
import type { EventEmitter } from 'node:events';
import { afterEach, expect, it, vi } from 'vitest';
import { EtcdConnection } from '../../lib/etcd/connection/etcd-connection.js';
import { watchPrefix } from '../../lib/etcd/watch/prefix-requests.js';
import { systemClock } from '../../lib/registry/system-clock.js';
import { FaultProxy } from '../support/fault-proxy.js';
import { startTestEtcd } from '../support/test-etcd.js';

const endings: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of endings.splice(0).toReversed()) await end();
});

it('a watch that fails on an old connection does not close the new connection of other watches', async () => {
  const etcd = await startTestEtcd();
  endings.push(() => etcd.stop());
  const targetPort = Number(new URL(etcd.hosts[0] ?? '').port);
  const proxy = await FaultProxy.start({ targetPort });
  endings.push(() => proxy.stop());
  const hosts = [`http://127.0.0.1:${proxy.port}`];
  const connection = new EtcdConnection({ hosts }, { clock: systemClock, random: () => 0 });
  endings.push(() => connection.close());
  const opened = vi.spyOn(connection.member().watchClient, 'watch');
  const open = async (prefix: string) => {
    let ended: Promise<unknown> | undefined;
    await new Promise<void>((onCreated) => {
      ended = new Promise((onEnd) => {
        const handlers = { onCreated: () => onCreated(), onChanges: () => {}, onEnd };
        const watch = watchPrefix(connection, prefix, 1n, handlers);
        endings.push(() => watch.close());
      });
    });
    return { ended };
  };

  const first = await open('first/');
  // etcd3 opens new connections after a request that was not answered in time.
  const late = { deadline: Date.now() - 1 };
  const request = connection.request('list', ({ kv }) => kv.range({ key: Buffer.of(1) }, late));
  await expect(request).rejects.toThrow('DEADLINE_EXCEEDED');
  await open('second/');
  // Requests have their own connection, which the next request opens; this may be the probe that checks
  // whether etcd is back.
  const key = Buffer.of(1);
  await connection.request('list', ({ kv }, options) => kv.range({ key }, options), 'always');
  const before = proxy.accepted;
  expect(before).toBeGreaterThanOrEqual(2);
  // The error with which grpc-js ends the streams of a closed channel at their next ping.
  const dropped = Object.assign(new Error('14 UNAVAILABLE: Connection dropped'), { code: 14 });
  const stream: unknown = await opened.mock.results[0]?.value;
  (stream as EventEmitter).emit('error', dropped);
  expect(await first.ended).toMatchObject({ code: 'REGISTRY_UNAVAILABLE' });
  await open('first/');
  expect(proxy.accepted).toBe(before);
});
