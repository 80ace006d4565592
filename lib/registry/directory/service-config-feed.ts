/** What one service asks of its clients, shared by all channels to it. */
import { defer, type Observable, ReplaySubject, share } from 'rxjs';
import type { DirectoryEvent } from '../../core/discovery-event.js';
import type { Registry } from '../registry.js';

/** The service config of one service: text here, read by those who know gRPC. */
export class ServiceConfigFeed {
  /** The config's JSON, and every change; `undefined` while there is none. Never completes and never errors. */
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

  /** A config cannot be used. Told once, however many channels find out. */
  reject(text: string, reason: string): void {
    if (this.rejected === text) return;
    this.rejected = text;
    this.onEvent?.({ type: 'service-config-ignored', service: this.service, reason });
  }

  /** A config is used, but names in it mean nothing to a client. Told once for each config and names. */
  question(text: string, names: string): void {
    if (this.questioned === `${text} ${names}`) return;
    this.questioned = `${text} ${names}`;
    this.onEvent?.({ type: 'service-config-names-unknown', service: this.service, names });
  }
}
