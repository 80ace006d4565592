/** A watch on a prefix that changes faster than the watch can process single changes. */
import { Etcd3 } from 'etcd3';
import { afterEach, expect, it } from 'vitest';
import { EtcdRegistry, type RegistryUpdate } from '../../lib/index.js';
import { describeEtcd } from '../support/describe-etcd.js';
import { EtcdProcess } from '../support/etcd-process.js';
import { seededRandom } from '../support/seeded-random.js';

const CHANGES = 3_000;

describeEtcd('a flood of changes', (binary) => {
  const endings: (() => unknown)[] = [];
  afterEach(async () => {
    for (const end of endings.splice(0).toReversed()) await end();
  });

  it('reaches a watcher completely, without a second list and in fewer updates than changes', async () => {
    const etcd = await EtcdProcess.start({ binary });
    endings.push(() => etcd.stop());
    const writer = new Etcd3({ hosts: etcd.hosts });
    endings.push(() => writer.close());
    const registry = new EtcdRegistry({ hosts: etcd.hosts });
    endings.push(() => registry.close());
    const updates: RegistryUpdate[] = [];
    const known = new Map<string, unknown>();
    let onUpdate: (() => void) | undefined;
    const until = (isSo: () => boolean): Promise<void> =>
      new Promise((resolve) => {
        onUpdate = () => (isSo() ? resolve() : undefined);
        onUpdate();
      });
    const following = registry.watch('api').subscribe((update) => {
      updates.push(update);
      if (update.kind === 'change') {
        for (const [key, { metadata }] of update.change.put) known.set(key, metadata);
        for (const key of update.change.removed) known.delete(key);
      }
      onUpdate?.();
    });
    endings.push(() => following.unsubscribe());
    await until(() => updates.length === 1);

    const random = seededRandom(7);
    for (let from = 0; from < CHANGES; from += 100) {
      const changes = Array.from({ length: 100 }, (_, offset) => {
        const change = from + offset;
        // Each key is put only once, so that no later change can hide a lost one.
        if (random() < 0.3 && from > 0) {
          return writer
            .delete()
            .key(`api/${Math.floor(random() * from)}`)
            .exec();
        }
        const record = { Op: 0, Addr: '127.0.0.1:1', Metadata: { change } };
        return writer.put(`api/${change}`).value(JSON.stringify(record)).exec();
      });
      await Promise.all(changes);
    }
    await writer.put('api/last').value('{"Op":0,"Addr":"127.0.0.1:1","Metadata":null}');
    await until(() => known.has('api/last'));

    const stored = Object.entries(await writer.getAll().prefix('api/').json());
    const expected = stored.map(([key, record]) => {
      const { Metadata: metadata } = record as { readonly Metadata: unknown };
      return [key, metadata] as const;
    });
    expect(new Map([...known].toSorted())).toEqual(new Map(expected.toSorted()));
    expect(updates.map(({ kind }) => kind).filter((kind) => kind !== 'change')).toEqual(['reset']);
    expect(updates.length).toBeLessThan(CHANGES / 2);
  });
});
