/** Go clients of every age beside Nest servers that come and go: no record of this library ends them. */
import type { INestMicroservice } from '@nestjs/common';
import { Etcd3 } from 'etcd3';
import { ServiceRegistrar } from 'nestjs-grpc-discovery';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { EtcdProcess } from '../support/etcd-process.js';
import { type EventProcess, stopEventProcesses } from '../support/event-process.js';
import { startUserServer } from '../support/user-apps.js';
import { describeInterop } from './describe-interop.js';
import { answersOfNext, finalTally } from './fleet.js';
import { buildGoClients, type GoClientKind, startGoClient } from './go-clients.js';

const policies = ['pick_first', 'round_robin'] as const;

describeInterop('Go clients of old and new versions', (binary) => {
  let etcd: EtcdProcess;
  let reader: Etcd3;
  let url: string;
  let kinds: readonly GoClientKind[];
  const servers = new Map<string, INestMicroservice>();

  beforeAll(async () => {
    const versions = [...(await buildGoClients()).keys()];
    kinds = versions.flatMap((version) => policies.map((policy) => ({ version, policy })));
    etcd = await EtcdProcess.start({ binary });
    url = etcd.hosts[0] ?? '';
    reader = new Etcd3({ hosts: etcd.hosts });
  }, 1_800_000);

  afterEach(async () => {
    await Promise.all([stopEventProcesses(), leave(...servers.keys())]);
  });

  afterAll(async () => {
    reader?.close();
    await etcd?.stop();
  });

  const join = async (service: string, ...ids: string[]) => {
    const all = { weight: 2, zone: 'eu-1', version: '1', maxConnectionAgeMs: 3_600_000 };
    const discovery = { etcd: { hosts: etcd.hosts }, service: { name: service, ...all } };
    await Promise.all(
      ids.map(async (id) => servers.set(id, await startUserServer({ discovery, id }))),
    );
  };
  const registrars = (...ids: string[]) =>
    ids.flatMap((id) => servers.get(id)?.get(ServiceRegistrar, { strict: false }) ?? []);
  const leave = async (...ids: string[]) => {
    await Promise.all(ids.map((id) => servers.get(id)?.close()));
    for (const id of ids) servers.delete(id);
  };

  it('call Nest servers that join, change, drain and leave three at a time: no client ends, and no call fails', async () => {
    await join('fleet', 'n1', 'n2', 'n3', 'n4');
    const clients = await Promise.all(
      kinds.map(async (kind) => ({ kind, client: await startGoClient(kind, url, 'fleet') })),
    );
    expect(clients).toHaveLength(10);
    /** Waits until every client calls these servers and no other; a client with pick_first one of them. */
    const called = (...ids: string[]) =>
      Promise.all(
        clients.map(async ({ kind, client }) => {
          const isSettled = (answers: readonly string[]) =>
            kind.policy === 'round_robin'
              ? answers.join() === ids.join()
              : answers.length === 1 && ids.includes(String(answers[0]));
          while (!isSettled(await answersOfNext(client, 2 * ids.length)));
        }),
      );
    await called('n1', 'n2', 'n3', 'n4');
    await join('fleet', 'n5', 'n6', 'n7');
    await called('n1', 'n2', 'n3', 'n4', 'n5', 'n6', 'n7');
    for (const registrar of registrars('n5', 'n6', 'n7')) {
      registrar.update({ weight: 5, zone: 'eu-2', version: '2' });
    }
    await Promise.all(registrars('n1', 'n2', 'n3').map((registrar) => registrar.drain()));
    await called('n4', 'n5', 'n6', 'n7');
    await leave('n1', 'n2', 'n3');
    await leave('n4', 'n5', 'n6');
    await called('n7');
    await join('fleet', 'n8', 'n9', 'n0');
    await called('n0', 'n7', 'n8', 'n9');
    for (const { client } of clients) client.kill('SIGTERM');
    for (const { kind, client } of clients) {
      expect([kind, await finalTally(client)]).toMatchObject([kind, { failed: 0, byCode: {} }]);
    }
  }, 240_000);

  it('end with a panic, in the versions that README names, if a record has an object in its metadata', async () => {
    await join('elsewhere', 'n1', 'n2', 'n3');
    const records = Object.values(await reader.getAll().prefix('elsewhere/').strings());
    const addresses = records.map((value) => (JSON.parse(value) as { Addr: string }).Addr);
    const put = (address: string, metadata: object | null) =>
      reader
        .put(`maps/${address}`)
        .value(JSON.stringify({ Op: 0, Addr: address, Metadata: metadata }));
    for (const address of addresses) await put(address, null);
    const clients = await Promise.all(
      kinds.map(async (kind) => ({ kind, client: await startGoClient(kind, url, 'maps') })),
    );
    await Promise.all(clients.map(({ client }) => answersOfNext(client, 10)));

    // Go's lists have a random order, which decides which records are compared.
    let ended: typeof clients = [];
    for (let weight = 1; weight <= 20 && ended.length < 5; weight++) {
      for (const address of addresses) await put(address, { weight });
      const alive = await Promise.all(clients.map(({ client }) => isAlive(client)));
      ended = clients.filter((_, index) => !alive[index]);
    }
    expect(ended.map(({ kind }) => `${kind.version} ${kind.policy}`)).toEqual([
      '1.38.0 round_robin',
      '1.41.0 round_robin',
      '1.59.0 pick_first',
      '1.71.1 pick_first',
      '1.71.1 round_robin',
    ]);
    for (const { client } of ended) {
      expect(await client.exit).toEqual({ code: 2, signal: null });
      expect(client.stderr).toMatch(/^panic: runtime error: (hash of|comparing) un/m);
    }
  }, 240_000);
});

/** Whether a client still runs after three more of its ticks. */
async function isAlive(client: EventProcess): Promise<boolean> {
  try {
    for (let ticks = 0; ticks < 3; ticks++) await client.nextEvent('tick');
    return true;
  } catch {
    return false;
  }
}
