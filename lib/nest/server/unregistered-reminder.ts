/** Says why a server that accepts calls is still not registered: without a record no client finds it. */
import type { CancelTimer, Clock } from '../../core/clock.js';

/** How long a start may take before the first reminder, in milliseconds. */
const FIRST_AFTER_MS = 5_000;
/** Time between two reminders, in milliseconds. */
const REPEAT_AFTER_MS = 60_000;

/** Runs from the first bound server to the first record. */
export class UnregisteredReminder {
  private phase: 'created' | 'initializing' | 'bootstrapped' = 'created';
  private readonly urls: string[] = [];
  private cancelTimer: CancelTimer | undefined;
  private isOver: boolean;

  /**
   * @param services what the application offers; without services there are no reminders
   * @param readiness whether the application can serve, and why not
   */
  constructor(
    private readonly services: readonly { readonly name: string }[],
    private readonly readiness: { readonly isReady: boolean; readonly reason: string },
    private readonly clock: Clock,
    private readonly warn: (text: string) => void,
  ) {
    this.isOver = services.length === 0;
  }

  /** A server accepts calls. */
  onBound(url: string): void {
    this.urls.push(url);
    if (!this.isOver) this.cancelTimer ??= this.remindAfter(FIRST_AFTER_MS);
  }

  /**
   * Nest has begun to initialize the modules of the application: the bootstrap follows, however long it
   * takes.
   */
  onInitializing(): void {
    if (this.phase === 'created') this.phase = 'initializing';
  }

  onBootstrapped(): void {
    this.phase = 'bootstrapped';
  }

  /** There is a record, or there will be none. */
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
