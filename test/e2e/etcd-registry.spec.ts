/**
 * The contract of every registry, on a real etcd: several registries that work on one etcd, as two processes
 * do.
 */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { Etcd3 } from 'etcd3';
import { filter, firstValueFrom } from 'rxjs';
import { encodeEndpoint } from '../../lib/core/records/endpoint-codec.js';
import { EtcdRegistry } from '../../lib/etcd/etcd-registry.js';
import { describeEachEtcd } from '../support/describe-etcd.js';
import { EtcdProcess } from '../support/etcd-process.js';
import {
  announce,
  describeRegistryContract,
  endpointAt,
  Follower,
} from '../support/registry-contract.js';

describeEachEtcd('EtcdRegistry', (binary) => {
  let etcd: EtcdProcess;
  let namespaces = 0;

  beforeAll(async () => {
    etcd = await EtcdProcess.start({ binary });
  });

  afterAll(async () => {
    await etcd?.stop();
  });

  describeRegistryContract(`EtcdRegistry on etcd ${binary.version}`, async (services) => {
    const options = { hosts: etcd.hosts, namespace: `test-${++namespaces}/` };
    const registry = new EtcdRegistry(options);
    for (const [service, endpoints] of Object.entries(services)) {
      await announce(registry, service, ...endpoints);
    }
    return { registry, observer: new EtcdRegistry(options) };
  });

  it.each([
    ['one of several registrations', 2],
    ['the last registration, with its lease', 1],
  ])('announces to followers that servers leave: %s', async (_, count) => {
    const options = { hosts: etcd.hosts, namespace: `leaving-${count}/` };
    const [server, observer] = [new EtcdRegistry(options), new EtcdRegistry(options)];
    const addresses = Array.from({ length: count }, (__, index) => `h:${index + 1}`);
    const registrations = await announce(
      server,
      'api',
      ...addresses.map((address) => endpointAt(address)),
    );
    const follower = new Follower(observer, 'api');
    await follower.lists(...addresses);
    await registrations[0]?.close();
    await follower.lists(...addresses.slice(1));
    const left = follower.updates.flatMap((update) => ('left' in update ? update.left : []));
    expect(left).toEqual([`leaving-${count}/api/h:1`]);
    follower.stop();
    await Promise.all([server.close(), observer.close()]);
  });

  it('emits the first page of a long list before the whole list, to watches without a list', async () => {
    const options = { hosts: etcd.hosts, namespace: 'long/' };
    const admin = new Etcd3({ hosts: etcd.hosts });
    const addresses = Array.from({ length: 3_000 }, (_, index) => `h:${index + 1}`);
    for (let from = 0; from < addresses.length; from += 100) {
      const puts = addresses.slice(from, from + 100).map((address) => {
        const value = encodeEndpoint(endpointAt(address));
        return admin.put(`long/api/${address}`).value(value).exec();
      });
      await Promise.all(puts);
    }
    const observer = new EtcdRegistry(options);
    const follower = new Follower(observer, 'api');
    await follower.lists(...addresses);
    const sizes = follower.updates.map((update) =>
      update.kind === 'reset' ? [update.snapshot.size, update.isPart ?? false] : update.kind,
    );
    expect(sizes).toEqual([
      [256, true],
      [3_000, false],
    ]);
    follower.stop();
    await observer.close();
    admin.close();
  });

  it('announces to followers that servers leave: when the registry closes', async () => {
    const options = { hosts: etcd.hosts, namespace: 'closing/' };
    const [server, observer] = [new EtcdRegistry(options), new EtcdRegistry(options)];
    await announce(server, 'api', endpointAt('h:1'), endpointAt('h:2'));
    const follower = new Follower(observer, 'api');
    await follower.lists('h:1', 'h:2');
    await server.close();
    await follower.lists();
    const left = follower.updates.flatMap((update) => ('left' in update ? update.left : []));
    expect(left.toSorted()).toEqual(['closing/api/h:1', 'closing/api/h:2']);
    follower.stop();
    await observer.close();
  });

  it('announces to followers that servers leave: when the registry closes during its first write', async () => {
    const options = { hosts: etcd.hosts, namespace: 'hasty/' };
    const observer = new EtcdRegistry(options);
    const follower = new Follower(observer, 'api');
    await follower.lists();
    for (let round = 1; round <= 10; round++) {
      const server = new EtcdRegistry(options);
      const granted = server.events$.pipe(filter(({ type }) => type === 'lease-granted'));
      const writing = firstValueFrom(granted);
      server.register({ service: 'api', endpoint: endpointAt(`h:${round}`), ttlSeconds: 10 });
      await writing;
      await server.close();
    }
    // Updates come in order: once this one has come, all earlier ones have.
    const [last] = await announce(observer, 'api', endpointAt('h:99'));
    await follower.lists('h:99');
    const put = follower.updates.flatMap((update) =>
      update.kind === 'change' ? [...update.change.put.keys()] : [],
    );
    const left = follower.updates.flatMap((update) => ('left' in update ? update.left : []));
    expect(put.length).toBeGreaterThan(1);
    expect([...(left as string[]), 'hasty/api/h:99']).toEqual(expect.arrayContaining(put));
    await last?.close();
    follower.stop();
    await observer.close();
  });

  it('registers nothing once it is closed', async () => {
    const registry = new EtcdRegistry({ hosts: etcd.hosts });
    await registry.close();
    const request = { service: 'api', endpoint: endpointAt('h:1'), ttlSeconds: 10 };
    expect(() => registry.register(request)).toThrow(/CLOSED|closed/);
  });

  it('changes only the status of the record that etcd refuses', async () => {
    const registry = new EtcdRegistry({ hosts: etcd.hosts, namespace: 'refused/' });
    const events: string[] = [];
    registry.events$.subscribe((event) => {
      if ('key' in event) events.push(`${event.type} ${event.key}`);
      else events.push(event.type);
    });
    const [api, web] = await announce(registry, 'api', endpointAt('h:1'), endpointAt('h:2'));
    const states: string[] = [];
    api?.status$.subscribe(({ state }) => states.push(state));
    web?.update(endpointAt('h:2', 'x'.repeat(2_000_000)));
    const refused = web?.status$.pipe(filter(({ error }) => error?.code === 'REGISTRY_REJECTED'));
    expect(await firstValueFrom(refused!)).toMatchObject({ state: 'registering' });
    web?.update(endpointAt('h:2'));
    await firstValueFrom(web!.status$.pipe(filter(({ state }) => state === 'registered')));
    expect(states).toEqual(['registered']);
    expect(events.filter((event) => event.startsWith('lease-'))).toEqual(['lease-granted']);
    expect(events).toContain('record-refused refused/api/h:2');
    await registry.close();
  });

  it('does not report a record as removed while the record of another process is there', async () => {
    const options = { hosts: etcd.hosts, namespace: 'theirs/' };
    const registry = new EtcdRegistry(options);
    const told: string[] = [];
    registry.events$.subscribe((event) => {
      if (event.type === 'deregistered') told.push(event.key);
    });
    const admin = new Etcd3({ hosts: etcd.hosts });
    const [api, web] = await announce(registry, 'api', endpointAt('h:1'), endpointAt('h:2'));
    await admin.put('theirs/api/h:1').value('theirs').exec();
    await api?.close();
    await web?.close();
    expect(told).toEqual(['theirs/api/h:2']);
    expect(await admin.get('theirs/api/h:1')).toBe('theirs');
    admin.close();
    await registry.close();
  });

  it('keeps namespaces apart', async () => {
    const [one, other] = ['one/', 'other/'].map(
      (namespace) => new EtcdRegistry({ hosts: etcd.hosts, namespace }),
    ) as [EtcdRegistry, EtcdRegistry];
    await announce(one, 'api', endpointAt('h:1'));
    await announce(other, 'api', endpointAt('h:2'));
    await new Follower(one, 'api').lists('h:1');
    await new Follower(other, 'api').lists('h:2');
    expect(one.describe('api')).toContain('"one/api/"');
    await Promise.all([one.close(), other.close()]);
  });
});
