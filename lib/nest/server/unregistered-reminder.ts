/** Warns, with the reason, that a server accepts calls but is not registered, so that no client finds it. */
import type { CancelTimer, Clock } from '../../core/clock.js';

/** How long a start may take before the first reminder, in milliseconds. */
const FIRST_AFTER_MS = 5_000;
/** Time between two reminders, in milliseconds. */
const REPEAT_AFTER_MS = 60_000;

/** Repeats the warning, from the first bound server until the first record. */
export class UnregisteredReminder {
  private phase: 'created' | 'initializing' | 'bootstrapped' = 'created';
  private readonly urls: string[] = [];
  private cancelTimer: CancelTimer | undefined;
  private isOver: boolean;

  /**
   * @param services the services that the application offers; without services there are no reminders
   * @param readiness whether the application can serve, and the reason if it cannot
   */
  constructor(
    private readonly services: readonly { readonly name: string }[],
    private readonly readiness: { readonly isReady: boolean; readonly reason: string },
    private readonly clock: Clock,
    private readonly warn: (text: string) => void,
  ) {
    this.isOver = services.length === 0;
  }

  /** Call it when a server accepts calls. */
  onBound(url: string): void {
    this.urls.push(url);
    if (!this.isOver) this.cancelTimer ??= this.remindAfter(FIRST_AFTER_MS);
  }

  /**
   * Call it when Nest begins to initialize the modules of the application: from then on the bootstrap is
   * certain to follow, and a long initialization causes no warning.
   */
  onInitializing(): void {
    if (this.phase === 'created') this.phase = 'initializing';
  }

  onBootstrapped(): void {
    this.phase = 'bootstrapped';
  }

  /** Ends the reminders: a record was made, or none will be made. */
  stop(): void {
    this.isOver = true;
    this.cancelTimer?.();
  }

  private remindAfter(delayMs: number): CancelTimer {
    return this.clock.setTimer(delayMs, () => {
      const reason = this.reason();
      if (reason !== undefined) {
        const names = this.services.map(({ name }) => `"${name}"`).join(', ');
        this.warn(`Service ${names} is not registered, and clients cannot find it: ${reason}.`);
      }
      this.cancelTimer = this.remindAfter(REPEAT_AFTER_MS);
    });
  }

  private reason(): string | undefined {
    if (this.phase === 'created') {
      return `the gRPC server at ${this.urls.join(', ')} accepts calls, but the application was not initialized, and none of its onModuleInit and onApplicationBootstrap hooks has run. Call "await app.init()" or "await app.listen(port)" beside "await app.startAllMicroservices()"; it is registered then`;
    }
    if (this.phase === 'initializing' || this.readiness.isReady) return undefined;
    return `the application is not ready to serve (${this.readiness.reason}). It is registered as soon as it is`;
  }
}
