/** The service config of one service, shared by all channels to it. */
import { defer, type Observable, ReplaySubject, share } from 'rxjs';
import type { DirectoryEvent } from '../../core/discovery-event.js';
import type { Registry } from '../registry.js';

/** Follows the service config of one service as text; the gRPC side parses it. */
export class ServiceConfigFeed {
  /**
   * The config's JSON, and every change; `undefined` while there is none. Never completes and never errors.
   */
  readonly text$: Observable<string | undefined>;
  private rejected: string | undefined;
  private questioned = '';

  constructor(
    registry: Registry,
    private readonly service: string,
    private readonly onEvent: ((event: DirectoryEvent) => void) | undefined,
  ) {
    this.text$ = defer(() => registry.watchServiceConfig(service)).pipe(
      share({ connector: () => new ReplaySubject(1) }),
    );
  }

  /**
   * Reports that a channel cannot use a config. Emits one event per text, however many channels report it.
   *
   * @param hasOther whether the channel continues with a config that was published before
   */
  reject(text: string, reason: string, hasOther: boolean): void {
    if (this.rejected === text) return;
    this.rejected = text;
    const first = hasOther ? {} : { isFirst: true as const };
    this.onEvent?.({ type: 'service-config-ignored', service: this.service, reason, ...first });
  }

  /**
   * Reports that a channel uses a config with names that its client does not know. Emits one event per text
   * and names.
   */
  question(text: string, names: string): void {
    if (this.questioned === `${text} ${names}`) return;
    this.questioned = `${text} ${names}`;
    this.onEvent?.({ type: 'service-config-names-unknown', service: this.service, names });
  }
}
