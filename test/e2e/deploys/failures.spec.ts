/** Servers that die, freeze or are all gone: how many calls fail, and when calls succeed again. */
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { finalTally, tickWhere } from '../../interop/fleet.js';
import { compileApps } from '../../support/child-app.js';
import { DeployStage } from '../../support/deploy-stage.js';
import { describeEtcd } from '../../support/describe-etcd.js';
import { EtcdProcess } from '../../support/etcd-process.js';
import { freePort } from '../../support/free-port.js';
import { stopEventProcesses } from '../../support/event-process.js';

const CONCURRENCY = 32;
/** What a busy machine may add to a bound, in milliseconds. */
const MARGIN_MS = 2_000;

describeEtcd('servers that fail', (binary) => {
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

  it('after kill -9 of one server idempotent calls are retried, and other calls fail only if they were in flight on that server', async () => {
    const stage = new DeployStage('nest', url, 'killed');
    await stage.grow(3);
    const [, login] = await stage.call({ method: 'find', holdMs: 20 }, { holdMs: 20 });
    stage.at(0).kill('SIGKILL');
    await stage.calls(4 * CONCURRENCY);
    const after = login && (await tickWhere(login, () => true));
    await stage.calls(4 * CONCURRENCY);
    expect(await stage.finish()).toMatchObject([
      { failed: 0, byCode: {} },
      // All failed calls were in flight on the killed server: none began after the first failure.
      { failed: after?.failed, lateFailures: 0 },
    ]);
    // The record stays for its time to live, but no client calls the server any more.
    expect(after?.failed).toBeLessThanOrEqual(CONCURRENCY);
    expect(Object.keys(after?.byCode ?? {})).toEqual(after?.failed === 0 ? [] : ['UNAVAILABLE']);
  });

  it('after SIGSTOP of one server all hedged calls succeed, and other calls fail only until keepalive pings find the server dead', async () => {
    const stage = new DeployStage('nest', url, 'frozen');
    const keepaliveMs = 500;
    await stage.grow(3);
    const [, login] = await stage.call(
      {
        method: 'find',
        holdMs: 20,
        timeoutMs: 2_000,
        clientOptions: { retry: { hedgingDelayMs: 200 } },
      },
      {
        holdMs: 20,
        timeoutMs: 1_000,
        // Under round_robin every caller would end up waiting for the frozen server.
        policy: 'least_request',
        clientOptions: {
          keepalive: { keepaliveTimeMs: keepaliveMs, keepaliveTimeoutMs: keepaliveMs },
        },
      },
    );
    const frozenMs = Date.now();
    stage.at(0).kill('SIGSTOP');
    await pause(2 * keepaliveMs + MARGIN_MS);
    const found = login && (await tickWhere(login, () => true));
    await stage.calls(2 * CONCURRENCY);
    stage.at(0).kill('SIGCONT');
    const [finds, logins] = await stage.finish();
    expect(finds).toMatchObject({ failed: 0, byCode: {}, messages: [] });
    expect(logins?.failed).toBe(found?.failed);
    // Until then each caller loses at most one call per second, which is its deadline.
    expect(logins?.failed).toBeLessThanOrEqual(3 * CONCURRENCY);
    expect((logins?.lastFailureMs ?? frozenMs) - frozenMs).toBeLessThan(
      2 * keepaliveMs + MARGIN_MS,
    );
  });

  it('after all servers were down, calls succeed soon after the first one is registered again', async () => {
    const ports = await Promise.all([freePort(), freePort()]);
    // The records outlive the servers, so the clients keep what they know about the addresses.
    const stage = new DeployStage('nest', url, 'down', { ttlSeconds: 60 });
    for (const port of ports) await stage.grow(1, { port });
    const [client, patient] = await stage.call(
      { concurrency: 2, intervalMs: 20 },
      { concurrency: 2, intervalMs: 20, clientOptions: { waitForReady: true }, timeoutMs: 20_000 },
    );
    await stage.shrink(0, 'SIGKILL');
    // Long enough that gRPC's backoff has grown far beyond the bound.
    await pause(6_000);
    await stage.grow(1, { port: ports[0] });
    const registeredMs = Date.now();
    if (client === undefined || patient === undefined) throw new Error('no clients');
    const back = await tickWhere(client, ({ recoveredMs }) => recoveredMs !== undefined);
    expect((back.recoveredMs ?? Infinity) - registeredMs).toBeLessThan(1_000);
    expect(back.byCode).toEqual({ UNAVAILABLE: back.failed });
    await stage.calls(10);
    patient.kill('SIGTERM');
    // Each of two callers may lose a call on the first server and another one on the second; calls begun
    // after both kills wait.
    expect((await finalTally(patient)).failed).toBeLessThanOrEqual(2 * 2);
  });
});
