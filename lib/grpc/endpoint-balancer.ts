/**
 * The balancer under every policy. It owns the connections, keeps them and their statistics by identity while lists come
 * and go, and publishes a fresh picker when something that matters has changed. Every update costs O(N).
 */
import { type ChannelOptions, connectivityState } from '@grpc/grpc-js';
import { composePools } from '../balance/candidate-pipeline.js';
import { readEndpointFacts } from '../balance/candidate.js';
import { EndpointLoad } from '../balance/endpoint-load.js';
import { FleetLoad } from '../balance/fleet-load.js';
import type { Picker } from '../balance/picker.js';
import {
  allowsSlowStart,
  createPipelinePicker,
  isLoadAware,
  isWeighted,
} from '../balance/policy.js';
import { pickSubset } from '../balance/subset.js';
import type { CancelTimer, Clock, Random } from '../core/clock.js';
import { parseAddress } from '../core/address.js';
import type { Endpoint } from '../core/endpoint.js';
import { BALANCER_NAME, BalancerConfig, type BalancerSettings } from './balancer-config.js';
import { ConnectionRamp, type RampOptions } from './connection-ramp.js';
import {
  type ConnectionContext,
  type ConnectionState,
  EndpointConnection,
} from './endpoint-connection.js';
import { EndpointPicker, type PickerHost } from './endpoint-picker.js';
import {
  type ChannelControlHelper,
  type GrpcEndpoint,
  type LoadBalancer,
  QueuePicker,
  type StatusOr,
  subchannelOptions,
  type TypedLoadBalancingConfig,
  UnavailablePicker,
} from './grpc-experimental.js';
import { OutlierWatch } from './outlier-watch.js';
import { discoveredEndpoint } from './resolved-endpoint.js';

/** Time and randomness. */
export interface BalancerPorts {
  readonly clock: Clock;
  readonly random: Random;
}

/** One channel's balancer. */
export class EndpointBalancer implements LoadBalancer, PickerHost {
  measures = false;
  private readonly connections = new Map<string, EndpointConnection>();
  private readonly count: Record<ConnectionState, number> = {
    idle: 0,
    connecting: 0,
    ready: 0,
    failed: 0,
  };
  private readonly fleet = new FleetLoad();
  private settings: BalancerSettings | undefined;
  private ramp: ConnectionRamp | undefined;
  private outliers: OutlierWatch | undefined;
  private picker: Picker<EndpointConnection> | undefined;
  private context: ConnectionContext | undefined;
  private cancelRecompute: CancelTimer | undefined;
  private published: connectivityState = connectivityState.IDLE;
  private lastError = 'no connection was tried yet';
  private note = '';
  /** An update is being worked in: what changes meanwhile is published at its end. */
  private updating = false;
  private scheduled = false;
  private rampScheduled = false;
  private closed = false;

  constructor(
    private readonly helper: ChannelControlHelper,
    private readonly ports: BalancerPorts,
  ) {}

  updateAddressList(
    list: StatusOr<GrpcEndpoint[]>,
    config: TypedLoadBalancingConfig,
    options: ChannelOptions,
    note: string,
  ): boolean {
    if (this.closed || !(config instanceof BalancerConfig)) return false;
    this.note = note;
    this.configure(config.settings, options);
    if (!list.ok) {
      // A list that is in use stays in use; without one, calls are to fail with what the resolver says.
      if (this.connections.size === 0) this.fail(list.error.details);
      return true;
    }
    this.updating = true;
    this.replace(list.value.flatMap(discoveredEndpoint), config.settings);
    this.updating = false;
    this.runRamp();
    this.publish();
    return true;
  }

  exitIdle(): void {
    this.runRamp();
  }

  resetBackoff(): void {
    for (const connection of this.connections.values()) {
      connection.subchannel?.getRealSubchannel().resetBackoff();
    }
  }

  destroy(): void {
    this.closed = true;
    this.outliers?.stop();
    this.cancelRecompute?.();
    for (const connection of this.connections.values()) connection.close();
    this.connections.clear();
  }

  getTypeName(): string {
    return BALANCER_NAME;
  }

  now(): number {
    return this.ports.clock.now();
  }

  onPick(): void {
    if (this.count.idle > 0 && this.settings?.policy.name !== 'pick_first') {
      if (this.ramp?.demand(this.connections.size) === true) this.scheduleRamp();
    }
  }

  private configure(settings: BalancerSettings, options: ChannelOptions): void {
    if (this.settings === settings && this.context !== undefined) return;
    const { clock, random } = this.ports;
    this.settings = settings;
    this.measures = isLoadAware(settings.policy) || settings.outliers !== undefined;
    const ramp = settings.policy.name === 'pick_first' ? SINGLE_RAMP : settings.ramp;
    this.ramp ??= new ConnectionRamp(ramp);
    this.ramp.configure(ramp);
    this.outliers?.stop();
    this.outliers =
      settings.outliers === undefined
        ? undefined
        : new OutlierWatch(
            settings.outliers,
            clock,
            () => this.connections.values(),
            () => this.publish(),
          );
    const connectionOptions = subchannelOptions(options);
    this.context ??= {
      clock,
      random,
      createSubchannel: (endpoint, attempt) =>
        this.helper.createSubchannel(
          dialAddress(endpoint),
          attempt === 0 ? connectionOptions : { ...connectionOptions, [ATTEMPT_OPTION]: attempt },
        ),
      onChange: (connection, from) => this.onConnectionChange(connection, from),
      connectTimeoutMs: settings.connectTimeoutMs,
      healthService: settings.healthService,
    };
  }

  /** Takes in a list: keeps who stays, closes who is gone, queues who is new. */
  private replace(listed: readonly Endpoint[], settings: BalancerSettings): void {
    const all = listed.map((endpoint) => {
      const known = this.connections.get(endpoint.address);
      return known?.endpoint === endpoint ? known : readEndpointFacts(endpoint);
    });
    const chosen = settings.subset === undefined ? all : pickSubset(all, settings.subset);
    const gone = new Set(this.connections.keys());
    const joined: EndpointConnection[] = [];
    const isFirst = this.connections.size === 0;
    for (const facts of chosen) {
      const { address } = facts.endpoint;
      gone.delete(address);
      const known = this.connections.get(address);
      if (known === undefined) {
        const connection = this.connection(facts);
        this.connections.set(address, connection);
        this.count.idle++;
        joined.push(connection);
      } else if (facts !== known) {
        const isAnother = known.endpoint.incarnation !== facts.endpoint.incarnation;
        known.describe(facts);
        if (isAnother) known.renew(this.createLoad());
      }
    }
    for (const address of gone) this.remove(address);
    if (isFirst) this.ramp?.enqueue(this.inOrder(joined, settings));
    else for (const connection of joined) this.ramp?.expedite(connection);
  }

  private connection(facts: ReturnType<typeof readEndpointFacts>): EndpointConnection {
    const { context } = this;
    if (context === undefined)
      throw new Error('the balancer was given a list before a configuration');
    return new EndpointConnection(facts, this.createLoad(), context);
  }

  private remove(address: string): void {
    const connection = this.connections.get(address);
    if (connection === undefined) return;
    this.connections.delete(address);
    this.count[connection.state]--;
    connection.close();
  }

  private createLoad(): EndpointLoad {
    const policy = this.settings?.policy;
    return new EndpointLoad(this.fleet, policy?.name === 'peak_ewma' ? policy : undefined);
  }

  /** The order of the first connections: shuffled, so that clients which start together spread; the own zone first. */
  private inOrder(
    connections: readonly EndpointConnection[],
    settings: BalancerSettings,
  ): EndpointConnection[] {
    const { random } = this.ports;
    const zone = settings.pipeline.locality?.zone;
    return connections
      .map((connection) => ({
        connection,
        rank: random() + (zone === undefined || connection.zone === zone ? 0 : 1),
      }))
      .toSorted((left, right) => left.rank - right.rank)
      .map(({ connection }) => connection);
  }

  private onConnectionChange(connection: EndpointConnection, from: ConnectionState): void {
    if (this.closed || this.connections.get(connection.endpoint.address) !== connection) return;
    this.count[from]--;
    this.count[connection.state]++;
    if (connection.state === 'failed') this.lastError = connection.lastError ?? this.lastError;
    if (connection.state === 'idle') {
      // It was ready, or was given up: it comes before those that were never tried.
      this.ramp?.expedite(connection);
      this.helper.requestReresolution();
    }
    this.scheduleRamp();
    if (from === 'ready') this.publish();
    else this.schedulePublish();
  }

  private scheduleRamp(): void {
    if (this.rampScheduled) return;
    this.rampScheduled = true;
    queueMicrotask(() => {
      this.rampScheduled = false;
      if (!this.closed) this.runRamp();
    });
  }

  private runRamp(): void {
    const { connecting, ready } = this.count;
    this.ramp?.run(
      connecting,
      connecting + ready,
      (connection) => this.connections.get(connection.endpoint.address) === connection,
    );
  }

  /** Arrivals are gathered, so that a hundred of them make one picker. */
  private schedulePublish(): void {
    if (this.scheduled || this.updating) return;
    this.scheduled = true;
    setImmediate(() => {
      this.scheduled = false;
      if (!this.closed) this.publish();
    });
  }

  private publish(): void {
    const { settings, count, connections, note } = this;
    if (settings === undefined || this.updating || this.closed) return;
    if (connections.size === 0) {
      this.fail(note === '' ? 'the list of endpoints is empty' : note);
    } else if (count.ready > 0) {
      this.publishReady(settings);
    } else if (count.failed >= Math.min(connections.size, settings.ramp.eager)) {
      this.fail(
        `none of ${connections.size} endpoints can be reached (${note}); last: ${this.lastError}`,
      );
    } else {
      this.picker = undefined;
      this.update(connectivityState.CONNECTING, new QueuePicker(this), null);
    }
  }

  private publishReady(settings: BalancerSettings): void {
    const { policy, pipeline } = settings;
    const { slowStart, ...rest } = pipeline;
    const pools = composePools(
      {
        candidates: [...this.connections.values()],
        isReady: ({ state }) => state === 'ready',
        isEjected: ({ load }) => this.outliers?.isEjected(load.tally) ?? false,
        isWeighted: isWeighted(policy),
      },
      slowStart === undefined || !allowsSlowStart(policy) ? rest : pipeline,
      this.now(),
    );
    const context = { random: this.ports.random, fleet: this.fleet };
    const canary = pipeline.routing?.canary;
    this.picker = createPipelinePicker(policy, pools, canary, context, this.picker);
    this.cancelRecompute?.();
    if (pools.recomputeMs !== undefined) {
      this.cancelRecompute = this.ports.clock.setTimer(pools.recomputeMs, () => this.publish());
    }
    if (this.picker === undefined) {
      this.fail(`no reachable endpoint matches the client's routing (${this.note})`);
      return;
    }
    this.update(connectivityState.READY, new EndpointPicker(this.picker, this), null);
  }

  private fail(details: string): void {
    this.picker = undefined;
    this.update(connectivityState.TRANSIENT_FAILURE, new UnavailablePicker({ details }), details);
  }

  private update(
    state: connectivityState,
    picker: Parameters<ChannelControlHelper['updateState']>[1],
    message: string | null,
  ): void {
    // A channel that waits asks for nothing new: the same again would only wake its calls in vain.
    if (state === connectivityState.CONNECTING && this.published === state) return;
    this.published = state;
    this.helper.updateState(state, picker, message);
  }
}

/** `pick_first` wants one connection, and looks for the next only when that fails. */
const SINGLE_RAMP: RampOptions = { eager: 1, concurrency: 1 };

/** Makes attempts that follow a given-up one different connections in grpc-js's pool. */
const ATTEMPT_OPTION = 'nestjs_grpc_discovery.attempt';

function dialAddress(endpoint: Endpoint) {
  const address = parseAddress(endpoint.address);
  if (address === undefined) throw new Error(`"${endpoint.address}" cannot be dialled`);
  const { kind: _, ...subchannelAddress } = address;
  return subchannelAddress;
}
