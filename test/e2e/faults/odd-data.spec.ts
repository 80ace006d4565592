/**
 * Values that are not endpoints, values of 1.5 MB, very long lists and odd names: nothing crashes, and each
 * kind of fault is reported once.
 */
import { Etcd3 } from 'etcd3';
import { type DiscoveryEvent, EtcdRegistry } from 'nestjs-grpc-discovery';
import { filter, firstValueFrom, lastValueFrom, take } from 'rxjs';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { DirectoryPool } from '../../../lib/registry/directory/directory-pool.js';
import { systemClock } from '../../../lib/registry/system-clock.js';
import { describeEachEtcd } from '../../support/describe-etcd.js';
import { EtcdProcess } from '../../support/etcd-process.js';

describeEachEtcd('odd data', (binary) => {
  let etcd: EtcdProcess;
  let writer: Etcd3;
  let registry: EtcdRegistry;
  let pool: DirectoryPool;
  let ignored: Extract<DiscoveryEvent, { type: 'record-ignored' }>[];

  beforeAll(async () => {
    etcd = await EtcdProcess.start({ binary });
    writer = new Etcd3({ hosts: etcd.hosts });
  });
  afterAll(async () => {
    writer?.close();
    await etcd?.stop();
  });
  beforeEach(() => {
    registry = new EtcdRegistry({ hosts: etcd.hosts, timings: { relistIntervalMs: 1_000 } });
    pool = new DirectoryPool(registry, { clock: systemClock });
    ignored = [];
    registry.events$.subscribe((event) => {
      if (event.type === 'record-ignored') ignored.push(event);
    });
  });
  afterEach(() => registry.close());

  /** Waits until the directory has exactly this many endpoints. */
  const listed = (service: string, count: number) =>
    firstValueFrom(
      pool
        .acquire(service)
        .directory.state$.pipe(filter(({ endpoints }) => endpoints?.length === count)),
    );

  it('records that cannot be dialled are ignored, and each kind of them is reported once, however often they are listed', async () => {
    const noRecord = ['', '{', 'null?', '[]', '{"Op":"add"}', '{"Addr":7}', '\ufeff{}'];
    const values = {
      'no-record': [...noRecord, `${record('a:1')}x`],
      'no-dialable-address': ['null', '{}', ...['h', 'h:0', 'dns:///h:1'].map((a) => record(a))],
      kratos: ['{"id":"a","name":"api","endpoints":["grpc://h:1"]}'],
      'go-zero': ['127.0.0.1:9'],
      kitex: ['{"network":"tcp","address":"h:1","weight":10,"tags":null}'],
      consul: ['{"ID":"a","Service":"api","Address":"10.0.0.1","Port":9}'],
    };
    for (const [kind, texts] of Object.entries(values)) {
      for (const [index, text] of texts.entries()) {
        await writer.put(`bad/${kind}/${index}`).value(text);
      }
    }
    await writer.put('bad/no-record/binary').value(Buffer.from([0xff, 0xfe, 0, 1]));
    await writer.put('bad/good').value(record('a:1'));
    // Three full lists: the second and the third report nothing again.
    const resets = registry.watch('bad').pipe(filter(({ kind }) => kind === 'reset'));
    const last = await lastValueFrom(resets.pipe(take(3)));
    expect(last).toMatchObject({ snapshot: new Map([['bad/good', { address: 'a:1' }]]) });
    const counts = { 'no-record': 9, 'no-dialable-address': 5 } as const;
    const expected = Object.keys(values).map((kind) => {
      const count = kind in counts ? counts[kind as keyof typeof counts] : 1;
      return { kind, count, prefix: 'bad/', key: expect.stringContaining(`bad/${kind}/`) };
    });
    expect(ignored).toHaveLength(expected.length);
    for (const group of expected) expect(ignored).toContainEqual(expect.objectContaining(group));
    expect(last.kind === 'reset' && last.ignored).toHaveLength(expected.length);
  });

  it('1,000 bad records, and one that is rewritten 300 times, cause a handful of reports', async () => {
    await writer.put('storm/good').value(record('a:1'));
    await listed('storm', 1);
    for (let index = 0; index < 300; index++) {
      await writer.put('storm/rewritten').value(index % 2 === 0 ? record(`h${index}`) : '{');
    }
    for (let batch = 0; batch < 10; batch++) {
      await Promise.all(
        Array.from({ length: 100 }, (_, index) =>
          writer.put(`storm/${batch}/${index}`).value(record(`h${index}:0`)),
        ),
      );
    }
    await writer.put('storm/last').value(record('b:1'));
    const { directory } = pool.acquire('storm');
    await listed('storm', 2);
    expect(directory.ignored.reduce((sum, { count }) => sum + count, 0)).toBe(1_001);
    expect(ignored.length).toBeGreaterThanOrEqual(3);
    expect(ignored.length).toBeLessThanOrEqual(6);
  });

  it('an undecodable value removes the endpoint of the record that it replaces', async () => {
    await writer.put('turn/a').value(record('a:1'));
    await writer.put('turn/b').value(record('b:1'));
    await listed('turn', 2);
    await writer.put('turn/a').value('no longer JSON');
    await listed('turn', 1);
    await writer.put('turn/a').value(record('a:1'));
    await listed('turn', 2);
    expect(ignored).toHaveLength(1);
  });

  it('a registry reads values of 1,500,000 bytes', async () => {
    const shell = record('big:1', '{"x":""}').length;
    const value = record('big:1', `{"x":"${'x'.repeat(1_500_000 - shell)}"}`);
    expect(value).toHaveLength(1_500_000);
    for (const name of ['a', 'b', 'c', 'd']) {
      await writer.put(`large/${name}`).value(value.replace('big:1', `${name}ig:1`));
    }
    const { endpoints } = await listed('large', 4);
    expect(endpoints?.map(({ address }) => address)).toEqual(['aig:1', 'big:1', 'cig:1', 'dig:1']);
    await writer.put('large/garbage').value('x'.repeat(1_500_000));
    await writer.put('large/e').value(record('e:1'));
    await listed('large', 5);
    expect(ignored.map(({ key, reason }) => [key, reason.length < 300])).toEqual([
      ['large/garbage', true],
    ]);
  });

  it('a registry reads and follows 10,000 endpoints', async () => {
    for (let batch = 0; batch < 100; batch++) {
      await Promise.all(
        Array.from({ length: 100 }, (_, index) => {
          const address = `10.0.${batch}.${index}:9000`;
          return writer.put(`many/${address}`).value(record(address));
        }),
      );
    }
    await listed('many', 10_000);
    await writer.delete().key('many/10.0.7.7:9000');
    await listed('many', 9_999);
    await writer.delete().prefix('many/');
    await listed('many', 0);
  });

  it.each(['用户', 'a b', 'a/b/c', 'a%2Fb', '..', 'é?x#y', '🚀', `x`.repeat(300), '__proto__'])(
    'a registry registers and finds a service named %s',
    async (service) => {
      const endpoint = { address: '127.0.0.1:1', metadata: null };
      const registration = registry.register({ service, endpoint, ttlSeconds: 10 });
      const { endpoints } = await listed(service, 1);
      expect(endpoints?.[0]?.address).toBe('127.0.0.1:1');
      await registration.close();
      await listed(service, 0);
    },
  );
});

function record(address: string, metadata = 'null'): string {
  return `{"Op":0,"Addr":"${address}","Metadata":${metadata}}`;
}
