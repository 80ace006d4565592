/** Deploys under load fail no call: servers in their own processes, 32 calls at a time, no retries. */
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { compileApps } from '../../support/child-app.js';
import { DeployStage } from '../../support/deploy-stage.js';
import { describeEtcd } from '../../support/describe-etcd.js';
import { EtcdProcess } from '../../support/etcd-process.js';
import { freePort } from '../../support/free-port.js';
import { stopEventProcesses } from '../../support/event-process.js';

/**
 * `Login` and `Watch` are not declared idempotent: only gRPC itself retries them, and only before a server
 * has begun.
 */
const UNARY_5 = { holdMs: 5 };
const UNARY_500 = { holdMs: 500 };
const STREAM_1500 = { method: 'watch', holdMs: 1_500 } as const;
const NONE_FAILED = { messages: [], failed: 0 };

describeEtcd('deploys without a failed call', (binary) => {
  let etcd: EtcdProcess;
  let url = '';
  beforeAll(async () => {
    await compileApps();
    etcd = await EtcdProcess.start({ binary });
    url = etcd.hosts[0] ?? '';
  });
  afterEach(stopEventProcesses);
  afterAll(async () => {
    await etcd?.stop();
  });

  it('a rolling restart that ends each server in another way fails no call of 5 ms, no call of 500 ms and no stream of 1.5 s', async () => {
    const stage = new DeployStage('nest', url, 'rolling');
    const port = await freePort();
    await stage.grow(3);
    await stage.call(UNARY_5, UNARY_500, STREAM_1500);
    await stage.restart(0, 'SIGTERM', { port });
    await stage.restart(1, 'SIGINT');
    // On the same port again, as on a machine with only one address.
    await stage.restart(0, 'close', { port, settings: { HYBRID: '1' } });
    await stage.restart(0, 'SIGTERM', { settings: { HYBRID: '1' } });
    await stage.restart(0, 'close', { settings: { SERVERS: '2' } });
    await stage.restart(0, 'SIGTERM');
    await stage.calls(32);
    for (const tally of await stage.finish()) expect(tally).toMatchObject(NONE_FAILED);
  }, 180_000);

  it('scaling from 3 to 6 and to 2 servers fails no call', async () => {
    const stage = new DeployStage('nest', url, 'scaling');
    await stage.grow(3);
    await stage.call(UNARY_5, UNARY_500);
    await stage.grow(3);
    await stage.calls(64);
    await stage.shrink(2, 'SIGTERM');
    await stage.calls(64);
    for (const tally of await stage.finish()) expect(tally).toMatchObject(NONE_FAILED);
  }, 120_000);
});
