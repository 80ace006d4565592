/** Follows what services ask of their clients: one watch for all services of a registry, while anybody wants to know. */
import { distinctUntilChanged, map, Observable, share, ReplaySubject } from 'rxjs';
import type { RegistryUpdate } from '../core/registry-update.js';
import { applyChange, type Snapshot } from '../core/snapshot.js';
import type { EtcdEntry } from './prefix-requests.js';
import type { DecodedEntry } from './prefix-watch.js';

const NO_CONFIGS: Snapshot<string> = new Map();

/** Every service config by its key. */
export class ServiceConfigWatch {
  private readonly configs$: Observable<Snapshot<string>>;

  /** @param open starts the watch on the prefix of all service configs; returns what ends it */
  constructor(open: (onUpdate: (update: RegistryUpdate<string>) => void) => () => void) {
    this.configs$ = new Observable<Snapshot<string>>((subscriber) => {
      let configs: Snapshot<string> | undefined;
      return open((update) => {
        if (update.kind === 'reset' && update.isPart === true) return;
        // What was said last holds while etcd is away. Who waits for a first word need not wait for that.
        if (update.kind === 'failure') configs ??= NO_CONFIGS;
        else if (update.kind === 'reset') configs = update.snapshot;
        else configs = applyChange(configs ?? NO_CONFIGS, update.change);
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
