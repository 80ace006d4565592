/**
 * One endpoint's connection: the balancer keeps this object for as long as the endpoint is listed. It holds
 * the statistics of the endpoint, and starts them anew when another process takes over the address.
 *
 * | event                                   | idle       | connecting | ready      | failed     |
 * | --------------------------------------- | ---------- | ---------- | ---------- | ---------- |
 * | connect()                               | connecting | connecting | ready      | connecting |
 * | connect(), connected by another channel | ready      |            |            | ready      |
 * | the transport begins an attempt         | connecting | connecting | connecting | failed     |
 * | the transport is ready, no health check | ready      | ready      |            | ready      |
 * | the transport is ready, health check    | connecting | connecting |            | failed     |
 * | health: serving, or not implemented     |            | ready      | ready      | ready      |
 * | health: not serving, or the watch broke |            | failed     | failed     | failed     |
 * | the attempt failed                      | failed     | failed     | failed     | failed     |
 * | the deadline passed, attempt broken off |            | connecting |            | failed     |
 * | the deadline passed, attempt abandoned  |            | failed     |            | failed     |
 * | the transport was lost, or may retry    |            | idle       | idle       | failed     |
 * | a replacement is ready, no health check |            |            | ready      |            |
 * | a replacement is ready, health check    |            | connecting | connecting | failed     |
 * | another process is registered           | idle       | connecting | ready      | connecting |
 * | the health service changes              | idle       | connecting | connecting | failed     |
 * | the health check ends                   | idle       | ready      | ready      | ready      |
 * | disconnect()                            | idle       | idle       | idle       | idle       |
 *
 * A cell is the state after the event; an empty cell: the event does not occur. A connected transport whose
 * server is not healthy stays `failed` when another process is registered, until the server answers that it
 * serves. `close()` ends the object in every state.
 */
import type { Candidate, EndpointFacts } from '../../balance/candidate.js';
import type { EndpointLoad } from '../../balance/load/endpoint-load.js';
import type { PeakEwmaOptions } from '../../balance/load/peak-ewma.js';
import { type Endpoint, endpointConnectionAgeMs } from '../../core/records/endpoint.js';
import { ConnectDeadline } from './connect-deadline.js';
import type { BalancerPorts, ConnectionSettings } from './connection-settings.js';
import { ConnectionRenewal } from './connection-renewal.js';
import { HealthWatch } from './health-watch.js';
import type { DialTransport, Transport, TransportState } from './transport.js';

/**
 * - `idle`: not connected, no attempt under way.
 * - `connecting`: an attempt is under way, or the transport is connected and the server's health is not known
 *   yet.
 * - `ready`: can take calls.
 * - `failed`: the last attempt failed, or the server is not healthy; the next attempt follows by itself, with
 *   backoff.
 */
export type ConnectionState = 'idle' | 'connecting' | 'ready' | 'failed';

/** What a connection needs from its balancer, the same for as long as the balancer lives. */
export interface ConnectionContext extends BalancerPorts {
  readonly dial: DialTransport;
  /** Makes the statistics of an endpoint that is new, or whose address another process has taken over. */
  readonly createLoad: (latency: PeakEwmaOptions | undefined) => EndpointLoad;
  /** Called when a connection has changed its state; `from` is the state before. */
  readonly onChange: (connection: EndpointConnection, from: ConnectionState) => void;
}

/** Connects to one endpoint, keeps its statistics, and reports each change of its state to the balancer. */
export class EndpointConnection implements Candidate {
  state: ConnectionState = 'idle';
  /** Why the last attempt or health check failed. */
  lastError: string | undefined;
  /**
   * The transport, from the first attempt on until it is released; calls may use it while `state` is `ready`.
   */
  transport: Transport | undefined;
  joinedMs: number;
  /** The number of the last list that the endpoint was in; set by the table. */
  list = 0;
  /** The statistics, made when first needed: most endpoints of a large fleet are never called. */
  private currentLoad: EndpointLoad | undefined;
  private attempt = 0;
  private deadline: ConnectDeadline | undefined;
  private renewal: ConnectionRenewal | undefined;
  private health: HealthWatch | undefined;
  /**
   * Another process registered at the address while this connection was `ready`: the statistics start anew
   * when it leaves `ready`.
   */
  private isReregistered = false;
  private closed = false;

  constructor(
    private facts: EndpointFacts,
    private settings: ConnectionSettings,
    private readonly context: ConnectionContext,
  ) {
    this.joinedMs = context.clock.now();
  }

  get endpoint(): Endpoint {
    return this.facts.endpoint;
  }

  get load(): EndpointLoad {
    this.currentLoad ??= this.context.createLoad(this.settings.latency);
    return this.currentLoad;
  }

  get weight(): number {
    return this.facts.weight;
  }

  get zone(): string | undefined {
    return this.facts.zone;
  }

  get version(): string | undefined {
    return this.facts.version;
  }

  get hash(): number {
    return this.facts.hash;
  }

  /**
   * Uses new settings from now on. Statistics stay; a new health check begins if `healthService` has changed.
   */
  configure(settings: ConnectionSettings): void {
    const { healthService } = this.settings;
    const { transport } = this;
    this.settings = settings;
    if (settings.healthService !== healthService && transport?.state === 'ready') {
      this.stopHealth();
      this.onReady(transport);
    }
    if (settings.latency !== undefined) this.currentLoad?.latency.configure(settings.latency);
  }

  /**
   * Takes in a new record of the same address. If its `incarnation` is another one, another process may have
   * the address, and what is known of the old process no longer holds. But as long as a connection is
   * `ready`, it leads to the old process, which then has registered again.
   */
  update(facts: EndpointFacts): void {
    const isAnother = facts.endpoint.incarnation !== this.endpoint.incarnation;
    this.facts = facts;
    if (!isAnother) return;
    this.deadline?.forget();
    this.isReregistered = this.state === 'ready';
    if (!this.isReregistered) this.forget();
    if (this.state === 'failed') this.connect();
  }

  /** Connects now, without waiting out the backoff of a failed attempt. */
  connect(): void {
    this.transport ??= this.createTransport();
    if (this.transport.state !== 'ready') this.become('connecting');
    this.dial();
  }

  /** Ends the backoff of the transport: an attempt that waits begins now. */
  resetBackoff(): void {
    this.transport?.resetBackoff();
  }

  /** Releases the transport without a report to the balancer. Calls in flight finish. */
  disconnect(): void {
    this.release();
    this.state = 'idle';
  }

  /** Releases the transport for good; nothing more is reported. Calls in flight finish. */
  close(): void {
    this.closed = true;
    this.release();
  }

  private forget(): void {
    this.isReregistered = false;
    this.currentLoad = undefined;
    this.joinedMs = this.context.clock.now();
  }

  private dial(): void {
    const transport = (this.transport ??= this.createTransport());
    const { state } = transport;
    // Another channel may share the transport, and have connected it already.
    if (state === 'ready') {
      if (this.health === undefined) this.onReady(transport);
      return;
    }
    this.startDeadline();
    // Ends a backoff that another channel's attempts may have caused before the endpoint was listed again.
    if (state === 'failed') transport.resetBackoff();
    else transport.connect();
  }

  private createTransport(): Transport {
    const transport = this.context.dial(this.endpoint, this.attempt);
    this.listenTo(transport);
    return transport;
  }

  private listenTo(transport: Transport): void {
    transport.listen((state, error) => this.onTransportState(transport, state, error));
  }

  private onTransportState(transport: Transport, next: TransportState, error?: string): void {
    switch (next) {
      case 'ready':
        this.onReady(transport);
        return;
      case 'connecting':
        this.stopHealth();
        this.startDeadline();
        // A retry after a failure does not change the state: the endpoint stays `failed` until it is ready.
        if (this.state !== 'failed') this.become('connecting');
        return;
      case 'failed':
        this.stopHealth();
        this.deadline?.stop();
        this.lastError = this.deadline?.takeBrokenOff()
          ? this.noAnswer()
          : (error ?? this.lastError);
        this.become('failed');
        transport.connect();
        return;
      case 'idle':
        this.stopHealth();
        this.deadline?.stop();
        this.renewal?.stop();
        if (this.state === 'failed') transport.connect();
        else this.become('idle');
    }
  }

  private onReady(transport: Transport): void {
    this.deadline?.stop();
    this.deadline?.forget();
    this.scheduleReplacement();
    const { healthService } = this.settings;
    if (healthService === undefined) {
      this.become('ready');
      return;
    }
    if (this.state !== 'failed') this.become('connecting');
    this.health = new HealthWatch(transport, healthService, this.context, (healthy, detail) => {
      this.lastError = healthy ? this.lastError : detail;
      this.become(healthy ? 'ready' : 'failed');
    });
  }

  private scheduleReplacement(): void {
    const ageMs = endpointConnectionAgeMs(this.endpoint);
    if (ageMs === undefined) {
      this.renewal?.stop();
      return;
    }
    this.renewal ??= new ConnectionRenewal(
      this.context,
      () => this.context.dial(this.endpoint, ++this.attempt),
      (replacement) => this.replaceTransport(replacement),
    );
    this.renewal.schedule(ageMs);
  }

  private replaceTransport(replacement: Transport): void {
    this.release();
    this.transport = replacement;
    this.listenTo(replacement);
    this.onReady(replacement);
  }

  private startDeadline(): void {
    this.deadline ??= new ConnectDeadline(this.context, {
      breakOff: () => this.transport?.breakOff() === true,
      abandon: () => this.abandon(),
      dial: () => this.dial(),
    });
    this.deadline.start(this.settings.connectTimeoutMs);
  }

  private abandon(): void {
    this.release();
    this.attempt++;
    this.lastError = this.noAnswer();
    this.become('failed');
  }

  private noAnswer(): string {
    return `no HTTP/2 answer from ${this.endpoint.address} within ${this.settings.connectTimeoutMs} ms`;
  }

  private release(): void {
    this.deadline?.stop();
    this.renewal?.stop();
    this.stopHealth();
    const { transport } = this;
    this.transport = undefined;
    transport?.release();
  }

  private stopHealth(): void {
    this.health?.stop();
    this.health = undefined;
  }

  private become(state: ConnectionState): void {
    if (this.closed || this.state === state) return;
    const from = this.state;
    this.state = state;
    if (this.isReregistered) this.forget();
    this.context.onChange(this, from);
  }
}
