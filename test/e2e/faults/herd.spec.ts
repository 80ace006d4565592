/**
 * Registrations that lose their etcd together: they do not flood it, and their returns are spread over time.
 * Row 13 of the fault matrix; the bench `herd` has 500 of them.
 */
import { EtcdRegistry } from 'nestjs-grpc-discovery';
import { filter, firstValueFrom } from 'rxjs';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { describeEtcd } from '../../support/describe-etcd.js';
import { EtcdProcess } from '../../support/etcd-process.js';
import { FaultProxy } from '../../support/fault-proxy.js';

/** As many registries as one process can run beside other work. */
const REGISTRIES = 40;

describeEtcd('registrations of many registries', (binary) => {
  let etcd: EtcdProcess;
  let proxy: FaultProxy;
  let herd: EtcdRegistry[];

  beforeAll(async () => {
    etcd = await EtcdProcess.start({ binary });
    proxy = await FaultProxy.start({ targetPort: etcd.port });
    const hosts = [`http://127.0.0.1:${proxy.port}`];
    herd = Array.from({ length: REGISTRIES }, () => new EtcdRegistry({ hosts }));
  });

  afterAll(async () => {
    await Promise.all((herd ?? []).map((registry) => registry.close()));
    await proxy?.stop();
    await etcd?.stop();
  });

  it('retry about once a second each while every connection is reset, and return spread over time', async () => {
    const registrations = herd.map((registry, index) => {
      const endpoint = { address: `127.0.0.1:${1 + index}`, metadata: null };
      return registry.register({ service: 'herd', endpoint, ttlSeconds: 10 });
    });
    const all = (state: string) =>
      Promise.all(
        registrations.map(({ status$ }) =>
          firstValueFrom(status$.pipe(filter((status) => status.state === state))),
        ),
      );
    await all('registered');
    // The proxy accepts and resets at once, so that the test sees every attempt.
    const returned: number[] = [];
    const unreachable = all('unreachable');
    await etcd.kill();
    proxy.disconnect();
    await unreachable;
    const from = proxy.accepted;
    const started = performance.now();
    // The test waits for attempts, not for time: the first ones come fast, then one a second.
    await proxy.acceptedAtLeast(from + 15 * REGISTRIES);
    const seconds = (performance.now() - started) / 1_000;
    // Without backoff there would be dozens, as with etcd3's own lease, which retries every 100 ms on every
    // channel.
    expect((proxy.accepted - from) / seconds / REGISTRIES).toBeLessThan(5);
    await etcd.launch();
    const back = performance.now();
    await Promise.all(
      registrations.map(async ({ status$ }) => {
        await firstValueFrom(status$.pipe(filter(({ state }) => state === 'registered')));
        returned.push(performance.now() - back);
      }),
    );
    returned.sort((left, right) => left - right);
    // The registrations did not all return at the same moment.
    const [first = 0, last = 0] = [returned[0], returned.at(-1)];
    expect(last - first).toBeGreaterThan(100);
  }, 240_000);
});
