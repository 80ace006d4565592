/** Follows what services ask of their clients: one watch for all services of a registry, while anybody wants to know. */
import { distinctUntilChanged, map, Observable, share, ReplaySubject } from 'rxjs';
import type { RegistryUpdate } from '../../core/snapshot/registry-update.js';
import type { Snapshot } from '../../core/snapshot/snapshot.js';
import type { EtcdEntry } from './prefix-replies.js';
import type { DecodedEntry } from './decoded-records.js';

/** Every service config by its key. */
export class ServiceConfigWatch {
  private readonly configs$: Observable<Snapshot<string>>;

  /** @param open starts the watch on the prefix of all service configs; returns what ends it */
  constructor(open: (onUpdate: (update: RegistryUpdate<string>) => void) => () => void) {
    this.configs$ = new Observable<Snapshot<string>>((subscriber) => {
      // Changed in place: what is passed on is looked at, and not kept.
      const configs = new Map<string, string>();
      return open((update) => {
        // What was said last holds while etcd is away. Who waits for a first word need not wait for that.
        if (update.kind === 'reset') {
          if (update.isPart === true) return;
          configs.clear();
          for (const [key, text] of update.snapshot) configs.set(key, text);
        } else if (update.kind === 'change') {
          for (const key of update.change.removed) configs.delete(key);
          for (const [key, text] of update.change.put) configs.set(key, text);
        }
        subscriber.next(configs);
      });
    }).pipe(share({ connector: () => new ReplaySubject(1) }));
  }

  /** The text under a key, and every change of it; `undefined` while there is none. */
  follow(key: string): Observable<string | undefined> {
    return this.configs$.pipe(
      map((configs) => configs.get(key)),
      distinctUntilChanged(),
    );
  }
}

/** Any text will do: what is in it is for the gRPC side to judge. */
export function decodeServiceConfig({ value }: EtcdEntry): DecodedEntry<string> {
  return { ok: true, value: Buffer.from(value).toString() };
}
