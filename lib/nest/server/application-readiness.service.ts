/**
 * Decides whether this application can serve: by the `readiness` option, and by the application's own
 * `grpc.health.v1` if it has one. Without both it is ready. With the `health` option the servers publish the
 * answer.
 */
import type { Server } from '@grpc/grpc-js';
import { Inject, Injectable, Logger } from '@nestjs/common';
import { systemClock } from '../../registry/system-clock.js';
import { DISCOVERY_OPTIONS } from '../discovery.tokens.js';
import { HealthServing, noticeServedHealth } from './health-serving.js';
import { ReadinessGate, type ReadinessOptions } from '../readiness-gate.js';
import type { ResolvedOptions } from '../options/validate-options.js';

/** All readiness gates of the application: it is ready when every gate is open. */
@Injectable()
export class ApplicationReadiness {
  private readonly logger = new Logger('DiscoveryModule');
  private readonly gates: ReadinessGate[] = [];
  private readonly health: HealthServing | undefined;
  private listener: (() => void) | undefined;
  private started = false;
  private ended = false;
  /** The last answer that was reported to the listener. */
  private told = false;

  constructor(@Inject(DISCOVERY_OPTIONS) options: ResolvedOptions) {
    if (options.readiness !== undefined) this.addGate(options.readiness);
    this.health = options.health ? new HealthServing() : undefined;
  }

  get isReady(): boolean {
    return !this.ended && this.gates.every((gate) => gate.isReady);
  }

  /** Why the application is not ready: the reason of the first closed gate. */
  get reason(): string {
    return this.gates.find((gate) => !gate.isReady)?.reason ?? 'it is shutting down';
  }

  /**
   * Fails the start if the package for the `health` option is missing, even if the servers are added later.
   */
  onModuleInit(): Promise<void> {
    return this.prepare();
  }

  /**
   * Loads the package that the `health` option needs. Await it before a server is made: some servers are made
   * before Nest calls any hook.
   */
  async prepare(): Promise<void> {
    await this.health?.load();
  }

  onChange(listener: () => void): void {
    this.listener = listener;
  }

  /** Call it for each new server, after `prepare()` and before services are added to the server. */
  observe(server: Server): void {
    if (this.health !== undefined) {
      this.health.addTo(server);
      return;
    }
    noticeServedHealth(server, (check) => {
      const gate = this.addGate({ check });
      if (this.started) void gate.start();
    });
  }

  /**
   * Call it when every service of a server was added.
   *
   * @throws DiscoveryError `INVALID_OPTION` if the health of the server is served twice
   */
  checkServices(): void {
    this.health?.assertServedOnce();
  }

  /**
   * Starts the gates that do not run yet. Resolves after their first answers; reports changes from then on.
   */
  async start(): Promise<void> {
    await Promise.all(this.gates.map((gate) => gate.start()));
    if (this.started) {
      // A gate that was added after the start may be closed.
      this.tell();
      return;
    }
    this.started = true;
    this.told = this.isReady;
    if (!this.ended) this.health?.set(this.told);
  }

  /** Makes the application not ready, for good. */
  end(): void {
    this.ended = true;
    for (const gate of this.gates) gate.stop();
    this.health?.set(false);
  }

  private addGate(options: ReadinessOptions): ReadinessGate {
    const gate = new ReadinessGate(options, systemClock, (ready, reason) => {
      if (!ready)
        this.logger.warn(
          `Not ready to serve (${reason}); the records are removed until the application is ready.`,
        );
      this.tell();
    });
    this.gates.push(gate);
    return gate;
  }

  private tell(): void {
    const ready = this.isReady;
    if (this.ended || !this.started || ready === this.told) return;
    this.told = ready;
    this.health?.set(ready);
    if (ready) this.logger.log('Ready to serve.');
    this.listener?.();
  }
}
