/**
 * Follows the service configs of a registry: one watch for all services, open while there are subscribers.
 */
import { distinctUntilChanged, map, Observable, share, ReplaySubject } from 'rxjs';
import type { RegistryUpdate } from '../../core/snapshot/registry-update.js';
import type { Snapshot } from '../../core/snapshot/snapshot.js';
import type { EtcdEntry } from './prefix-replies.js';
import type { DecodedEntry } from './decoded-records.js';

/** Watches all service configs of a registry, and emits the text of each service's config. */
export class ServiceConfigWatch {
  private readonly configs$: Observable<Snapshot<string>>;

  /** @param open starts the watch on the prefix of all service configs; returns the function that stops it */
  constructor(open: (onUpdate: (update: RegistryUpdate<string>) => void) => () => void) {
    this.configs$ = new Observable<Snapshot<string>>((subscriber) => {
      // Changed in place: subscribers read the map and do not keep it.
      const configs = new Map<string, string>();
      return open((update) => {
        // While etcd is away the last configs stay in use. A failure is passed on too, because first calls
        // wait for a first answer.
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

/** Accepts any text: the gRPC side validates it. */
export function decodeServiceConfig({ value }: EtcdEntry): DecodedEntry<string> {
  return { ok: true, value: Buffer.from(value).toString() };
}
