/**
 * One endpoint's connection: the object the balancer keeps for as long as the endpoint is listed, whatever happens to the
 * list around it. Holds the statistics, gives up on a peer that accepts and says nothing, and starts anew when another
 * process takes over the address.
 */
import { connectivityState } from '@grpc/grpc-js';
import type { Candidate, EndpointFacts } from '../../balance/candidate.js';
import type { EndpointLoad } from '../../balance/load/endpoint-load.js';
import type { PeakEwmaOptions } from '../../balance/load/peak-ewma.js';
import type { Clock, Random } from '../../core/clock.js';
import { type Endpoint, endpointConnectionAgeMs } from '../../core/records/endpoint.js';
import { holdSubchannel, releaseSubchannel } from './connect-attempts.js';
import { ConnectDeadline } from './connect-deadline.js';
import { ConnectionRenewal } from './connection-renewal.js';
import type { Subchannel } from '../grpc-js/grpc-experimental.js';
import { HealthWatch } from './health-watch.js';
import { prepareTransport } from '../grpc-js/ready-transport.js';

/**
 * - `idle`: not connected and not trying.
 * - `connecting`: trying, or connected and not yet known to be healthy.
 * - `ready`: can take calls.
 * - `failed`: the last attempt failed; the next one follows by itself, with backoff.
 */
export type ConnectionState = 'idle' | 'connecting' | 'ready' | 'failed';

/** What a connection takes from its balancer. */
export interface ConnectionContext {
  readonly clock: Clock;
  readonly random: Random;
  /**
   * Makes a subchannel for an endpoint. Attempts with different numbers never share a connection, so that a new one does
   * not inherit the fate of one that was given up.
   */
  createSubchannel(endpoint: Endpoint, attempt: number): Subchannel;
  /** The state changed; `from` is what it was. */
  onChange(connection: EndpointConnection, from: ConnectionState): void;
  /** How long a connection may take until HTTP/2 answers, in milliseconds. */
  readonly connectTimeoutMs: number;
  /** The service whose health is asked for; `undefined`: connected is healthy. */
  readonly healthService: string | undefined;
  /** Keepalive pings are to stay within what servers in Go bear. */
  readonly sparesPings: boolean;
}

type StateListener = Parameters<Subchannel['addConnectivityStateListener']>[0];

/** One endpoint's connection. */
export class EndpointConnection implements Candidate {
  state: ConnectionState = 'idle';
  /** Why the last attempt failed. */
  lastError: string | undefined;
  /** Present from the first attempt on; calls may use it while `state` is `ready`. */
  subchannel: Subchannel | undefined;
  joinedMs: number;
  /** The number of the last list it was in; its table's. */
  list = 0;
  /** Made when it is asked for: most endpoints of a large fleet are never called. */
  private currentLoad: EndpointLoad | undefined;
  /** Made with the first connection, for the same reason. */
  private onState: StateListener | undefined;
  private attempt = 0;
  private deadline: ConnectDeadline | undefined;
  private renewal: ConnectionRenewal | undefined;
  private health: HealthWatch | undefined;
  /** Once this connection is lost, the next is to another process. */
  private isAnother = false;
  private closed = false;

  constructor(
    private facts: EndpointFacts,
    private readonly createLoad: () => EndpointLoad,
    private readonly context: ConnectionContext,
  ) {
    this.joinedMs = context.clock.now();
  }

  get endpoint(): Endpoint {
    return this.facts.endpoint;
  }

  get load(): EndpointLoad {
    this.currentLoad ??= this.createLoad();
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

  /** Takes in a new record for the same address. */
  describe(facts: EndpointFacts): void {
    this.facts = facts;
  }

  /** Goes by other options from now on, with all that is known. */
  configureLoad(options: PeakEwmaOptions): void {
    this.currentLoad?.latency.configure(options);
  }

  /**
   * Another process may have taken over the address: then nothing that was learnt about the one before holds. As long as the connection
   * stands it is the same one, whose registration was lost and is back.
   */
  renew(): void {
    this.deadline?.forget();
    this.isAnother = this.state === 'ready';
    if (!this.isAnother) this.forget();
    if (this.state === 'failed') this.connect();
  }

  private forget(): void {
    this.isAnother = false;
    this.currentLoad = undefined;
    this.joinedMs = this.context.clock.now();
  }

  /** Asks anew whether the server is healthy: which service to ask about has changed. */
  recheck(): void {
    if (this.subchannel?.getConnectivityState() !== connectivityState.READY) return;
    this.stopHealth();
    this.onReady(this.subchannel);
  }

  /** Connects now, without waiting out the backoff of a failed attempt. */
  connect(): void {
    this.subchannel ??= this.createSubchannel();
    const isReady = this.subchannel.getConnectivityState() === connectivityState.READY;
    if (!isReady) this.become('connecting');
    this.dial();
  }

  private dial(): void {
    this.deadline?.stop();
    this.subchannel ??= this.createSubchannel();
    // It may be another channel's, and connected already.
    if (this.subchannel.getConnectivityState() === connectivityState.READY) {
      if (this.health === undefined) this.onReady(this.subchannel);
      return;
    }
    this.startDeadline();
    // What another channel learnt about this address before it was listed again does not hold either.
    if (this.subchannel.getConnectivityState() === connectivityState.TRANSIENT_FAILURE) {
      this.subchannel.getRealSubchannel().resetBackoff();
    } else {
      this.subchannel.startConnecting();
    }
  }

  private createSubchannel(): Subchannel {
    const subchannel = this.context.createSubchannel(this.endpoint, this.attempt);
    holdSubchannel(subchannel);
    subchannel.addConnectivityStateListener(this.listener());
    return subchannel;
  }

  private listener(): StateListener {
    this.onState ??= (subchannel, _previous, next, _keepaliveTimeMs, error) =>
      this.onSubchannelState(subchannel, next, error);
    return this.onState;
  }

  /** Lets go of the connection; calls under way on it still finish. */
  close(): void {
    this.closed = true;
    this.release();
  }

  /** Is connected no longer, without having been lost: nobody is told. Calls under way still finish. */
  rest(): void {
    this.release();
    this.state = 'idle';
  }

  private onSubchannelState(subchannel: Subchannel, next: connectivityState, error?: string): void {
    if (this.closed) return;
    switch (next) {
      case connectivityState.READY:
        this.onReady(subchannel);
        return;
      case connectivityState.CONNECTING:
        this.stopHealth();
        this.startDeadline();
        // A retry is told only by its outcome: the endpoint counts as failed until it is ready.
        if (this.state !== 'failed') this.become('connecting');
        return;
      case connectivityState.TRANSIENT_FAILURE:
        this.stopHealth();
        this.deadline?.stop();
        this.lastError = this.deadline?.takeBrokenOff()
          ? this.noAnswer()
          : (error ?? this.lastError);
        this.become('failed');
        // Sets it to try again once its backoff has passed.
        subchannel.startConnecting();
        return;
      case connectivityState.IDLE:
        this.stopHealth();
        this.deadline?.stop();
        this.renewal?.stop();
        if (this.state === 'failed') subchannel.startConnecting();
        else this.become('idle');
    }
  }

  private onReady(subchannel: Subchannel): void {
    this.deadline?.stop();
    prepareTransport(subchannel, this.context.sparesPings);
    this.deadline?.forget();
    this.scheduleRenewal();
    const { healthService, clock, random } = this.context;
    if (healthService === undefined) {
      this.become('ready');
      return;
    }
    if (this.state !== 'failed') this.become('connecting');
    const ports = { clock, random };
    this.health = new HealthWatch(subchannel, healthService, ports, (healthy, detail) => {
      this.lastError = healthy ? this.lastError : detail;
      this.become(healthy ? 'ready' : 'failed');
    });
  }

  private scheduleRenewal(): void {
    const ageMs = endpointConnectionAgeMs(this.endpoint);
    if (ageMs === undefined) {
      this.renewal?.stop();
      return;
    }
    this.renewal ??= new ConnectionRenewal(
      this.context,
      () => this.context.createSubchannel(this.endpoint, ++this.attempt),
      (subchannel) => this.succeed(subchannel),
    );
    this.renewal.schedule(ageMs);
  }

  private succeed(subchannel: Subchannel): void {
    this.release();
    subchannel.addConnectivityStateListener(this.listener());
    this.subchannel = subchannel;
    this.onReady(subchannel);
  }

  private startDeadline(): void {
    this.deadline ??= new ConnectDeadline({
      clock: this.context.clock,
      random: this.context.random,
      limits: this.context,
      current: () => this.subchannel,
      abandon: () => this.abandon(),
      dial: () => this.dial(),
    });
    this.deadline.start();
  }

  private abandon(): void {
    this.release();
    this.attempt++;
    this.lastError = this.noAnswer();
    this.become('failed');
  }

  private noAnswer(): string {
    return `no HTTP/2 answer from ${this.endpoint.address} within ${this.context.connectTimeoutMs} ms`;
  }

  private release(): void {
    this.deadline?.stop();
    this.renewal?.stop();
    this.stopHealth();
    const { subchannel, onState } = this;
    this.subchannel = undefined;
    if (subchannel === undefined) return;
    if (onState !== undefined) subchannel.removeConnectivityStateListener(onState);
    releaseSubchannel(subchannel);
  }

  private stopHealth(): void {
    this.health?.stop();
    this.health = undefined;
  }

  private become(state: ConnectionState): void {
    if (this.closed || this.state === state) return;
    const from = this.state;
    this.state = state;
    if (this.isAnother) this.forget();
    this.context.onChange(this, from);
  }
}
