/**
 * Registries on a real etcd that is stopped most of the time, like an etcd with far too much to do. Tests
 * check whether the registries recover.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { Subscription } from 'rxjs';
import { EtcdRegistry, type RegistryUpdate } from '../../lib/index.js';
import type { EtcdProcess } from './etcd-process.js';

export interface SlowedHerdOptions {
  readonly hosts: readonly string[];
  /**
   * How many registries there are. Each has a connection of its own and one record; the records are spread
   * over the services.
   */
  readonly registries: number;
  /** How many services each registry follows. */
  readonly services: number;
}

/** The registries of this process, and how many of their records and watches are in place. */
export class SlowedHerd {
  private readonly inPlace = new Set<string>();
  private readonly waiting = new Set<() => void>();
  private readonly registries: EtcdRegistry[] = [];
  private readonly subscriptions: Subscription[] = [];
  private wholeAt: number | undefined;
  private listCount = 0;

  constructor(private readonly options: SlowedHerdOptions) {
    const { hosts, registries, services } = options;
    for (let index = 0; index < registries; index++) {
      const registry = new EtcdRegistry({ hosts: [...hosts] });
      this.registries.push(registry);
      const { status$ } = registry.register({
        service: `service-${index % services}`,
        endpoint: { address: `10.0.0.${index}:1`, metadata: null },
        ttlSeconds: 10,
      });
      this.subscriptions.push(
        status$.subscribe(({ state }) => this.place(`record ${index}`, state === 'registered')),
      );
      for (let service = 0; service < services; service++) this.follow(registry, index, service);
    }
  }

  /** When the last record or watch came into place, by `performance.now()`; `undefined`: one is missing. */
  get wholeSince(): number | undefined {
    return this.wholeAt;
  }

  /** How many whole lists the registries have read since the start. */
  get lists(): number {
    return this.listCount;
  }

  /** How many watches all registries have together. */
  get watches(): number {
    return this.options.registries * this.options.services;
  }

  /**
   * Resolves as soon as every record is registered, and every watch knows all records of its service.
   *
   * @throws after `limitMs`; the error says how much is in place by then
   */
  async untilWhole(limitMs: number): Promise<void> {
    if (this.wholeAt !== undefined) return;
    const limit = new AbortController();
    const whole = new Promise<void>((resolve) => this.waiting.add(resolve));
    const late = delay(limitMs, undefined, { signal: limit.signal }).then(
      () => {
        const all = this.watches + this.options.registries;
        throw new Error(
          `${this.inPlace.size} of ${all} records and watches are in place after ${limitMs / 1_000} s`,
        );
      },
      () => {},
    );
    try {
      await Promise.race([whole, late]);
    } finally {
      limit.abort();
    }
  }

  async close(): Promise<void> {
    for (const subscription of this.subscriptions) subscription.unsubscribe();
    await Promise.all(this.registries.map((registry) => registry.close()));
  }

  private follow(registry: EtcdRegistry, index: number, service: number): void {
    const { registries, services } = this.options;
    const expected = Math.floor((registries - 1 - service) / services) + 1;
    let keys = new Set<string>();
    const onUpdate = (update: RegistryUpdate): void => {
      if (update.kind === 'reset') {
        this.listCount++;
        keys = new Set(update.snapshot.keys());
      } else if (update.kind === 'change') {
        for (const key of update.change.put.keys()) keys.add(key);
        for (const key of update.change.removed) keys.delete(key);
      }
      const isInPlace = update.kind !== 'failure' && keys.size === expected;
      this.place(`watch ${service} of ${index}`, isInPlace);
    };
    this.subscriptions.push(registry.watch(`service-${service}`).subscribe(onUpdate));
  }

  private place(what: string, isInPlace: boolean): void {
    if (isInPlace) this.inPlace.add(what);
    else this.inPlace.delete(what);
    if (this.inPlace.size < this.watches + this.options.registries) {
      this.wholeAt = undefined;
      return;
    }
    this.wholeAt ??= performance.now();
    for (const resolve of this.waiting) resolve();
    this.waiting.clear();
  }
}

/** Lets etcd run for `runMs` of every 100 ms, during `forMs` milliseconds. In the end etcd runs again. */
export async function slowDown(etcd: EtcdProcess, runMs: number, forMs: number): Promise<void> {
  const endMs = performance.now() + forMs;
  while (performance.now() < endMs) {
    etcd.pause();
    await delay(100 - runMs);
    etcd.resume();
    await delay(runMs);
  }
}
