/**
 * The balancer under every policy. It owns the connections, keeps them and their statistics by identity while lists come
 * and go, and publishes a fresh picker when something that matters has changed. Every update costs O(N).
 */
import type { ChannelOptions } from '@grpc/grpc-js';
import type { EndpointFacts } from '../../balance/candidate.js';
import { EndpointLoad } from '../../balance/load/endpoint-load.js';
import { BALANCER_NAME, BalancerConfig, type BalancerSettings } from './balancer-config.js';
import {
  type BalancerPorts,
  createConnectionContext,
  type LiveSettings,
} from '../connection/connection-context.js';
import { ChannelState, type ListFacts } from './channel-state.js';
import type { ConnectionPlan } from '../connection/connection-plan.js';
import { ConnectionTable } from '../connection/connection-table.js';
import type { ConnectionState, EndpointConnection } from '../connection/endpoint-connection.js';
import type { PickerHost } from './endpoint-picker.js';
import { eligibleEndpoints } from './eligible-endpoints.js';
import { FirstConnections } from '../connection/first-connections.js';
import { FleetPicker } from './fleet-picker.js';
import {
  type ChannelControlHelper,
  type GrpcEndpoint,
  type LoadBalancer,
  type StatusOr,
  subchannelOptions,
  type TypedLoadBalancingConfig,
} from '../grpc-js/grpc-experimental.js';
import { OutlierWatch } from './outlier-watch.js';
import { isPartialList, mayBeginOnPart } from './partial-list.js';
import { RampedConnections } from '../connection/ramped-connections.js';
import { discoveredFacts } from '../resolved-endpoint.js';
import { TurnGatherer } from '../turn-gatherer.js';

/** One channel's balancer. */
export class EndpointBalancer implements LoadBalancer, PickerHost, ListFacts {
  measures = false;
  note = '';
  hasList = false;
  private readonly pickers: FleetPicker;
  private readonly state: ChannelState;
  private readonly publishing = new TurnGatherer(() => this.publish());
  private readonly isEjected = (connection: EndpointConnection) =>
    this.outliers?.isEjected(connection.load.tally) === true;
  /** What the connections see of the settings; they outlive each of them. */
  private live: LiveSettings | undefined;
  private table: ConnectionTable | undefined;
  private settings: BalancerSettings | undefined;
  private plan: ConnectionPlan | undefined;
  private outliers: OutlierWatch | undefined;
  /** An update is being worked in: what changes meanwhile is published at its end. */
  private updating = false;
  private closed = false;

  constructor(
    private readonly helper: ChannelControlHelper,
    private readonly ports: BalancerPorts,
  ) {
    this.pickers = new FleetPicker(ports, () => this.publish());
    this.state = new ChannelState(helper, this.pickers, this, this.isEjected);
  }

  updateAddressList(
    list: StatusOr<GrpcEndpoint[]>,
    config: TypedLoadBalancingConfig,
    options: ChannelOptions,
    note: string,
  ): boolean {
    if (this.closed || !(config instanceof BalancerConfig)) return false;
    const { settings } = config;
    const isPart = isPartialList(options);
    // Calls wait for the whole of it.
    if (isPart && !mayBeginOnPart(settings)) return true;
    this.note = note;
    this.updating = true;
    const table = this.prepare(settings, options);
    const joined = list.ok ? this.replace(table, discoveredFacts(list.value), settings) : [];
    this.follow(table, settings, joined, isPart);
    this.outliers?.judge();
    this.updating = false;
    // A list that is in use stays in use; without one, calls are to fail with what the resolver says.
    if (!list.ok && table.size === 0) {
      this.state.fail(list.error.details);
      return true;
    }
    this.plan?.run();
    this.publishing.run();
    return true;
  }

  exitIdle(): void {
    this.plan?.run();
  }

  resetBackoff(): void {
    for (const { subchannel } of this.table?.values() ?? []) {
      subchannel?.getRealSubchannel().resetBackoff();
    }
  }

  destroy(): void {
    this.closed = true;
    this.plan?.stop();
    this.outliers?.stop();
    this.pickers.stop();
    this.publishing.stop();
    this.table?.close();
  }

  getTypeName(): string {
    return BALANCER_NAME;
  }

  now(): number {
    return this.ports.clock.now();
  }

  onPick(): void {
    this.plan?.onCall();
  }

  onFailure({ tally }: EndpointLoad): void {
    this.outliers?.onFailure(tally);
  }

  /** Makes what is needed for these settings, or changes what there is. */
  private prepare(settings: BalancerSettings, options: ChannelOptions): ConnectionTable {
    if (this.table !== undefined && this.settings === settings) return this.table;
    const { healthService, connectTimeoutMs, policy } = settings;
    const isOtherHealth = this.live !== undefined && this.live.healthService !== healthService;
    this.settings = settings;
    this.measures = policy.usesLoad || settings.outliers !== undefined;
    this.live = Object.assign(this.live ?? {}, { healthService, connectTimeoutMs });
    this.watchOutliers(settings);
    this.table ??= new ConnectionTable(
      createConnectionContext(this.helper, subchannelOptions(options), this.ports, this.live, {
        onChange: (connection, from) => this.onConnectionChange(connection, from),
      }),
      () => this.createLoad(),
    );
    for (const connection of this.table.values()) {
      if (isOtherHealth) connection.recheck();
      if (policy.latency !== undefined) connection.configureLoad(policy.latency);
    }
    return this.table;
  }

  /** What outlier detection has learnt stays when other settings change. */
  private watchOutliers({ outliers }: BalancerSettings): void {
    if (outliers === undefined) {
      this.outliers?.stop();
      this.outliers = undefined;
      return;
    }
    this.outliers?.configure(outliers);
    // A policy that connects to the first endpoint could call one that it is not connected to.
    const isUsable = ({ state }: EndpointConnection): boolean =>
      state === 'ready' || (state === 'idle' && this.settings?.policy.connects === 'first');
    this.outliers ??= new OutlierWatch(
      outliers,
      this.ports.clock,
      () => this.table?.values() ?? [],
      isUsable,
      () => {
        this.plan?.run();
        this.schedulePublish();
      },
    );
  }

  /** Takes in a list; returns the connections that are new in it. */
  private replace(
    table: ConnectionTable,
    listed: readonly EndpointFacts[],
    settings: BalancerSettings,
  ): readonly EndpointConnection[] {
    this.hasList = listed.length > 0;
    return table.replace(eligibleEndpoints(listed, settings));
  }

  /** Has the plan follow the list. A policy that goes about its connections in another way begins with those there are. */
  private follow(
    table: ConnectionTable,
    { policy, ramp }: BalancerSettings,
    joined: readonly EndpointConnection[],
    isPart: boolean,
  ): void {
    const Plan = policy.connects === 'first' ? FirstConnections : RampedConnections;
    if (this.plan instanceof Plan) {
      this.plan.take(joined, isPart);
      return;
    }
    this.plan?.stop();
    const pipeline = () => this.settings?.pipeline;
    const zoneOf = () => pipeline()?.locality?.zone;
    this.plan =
      Plan === FirstConnections
        ? new FirstConnections(
            table,
            this.ports,
            this.isEjected,
            () => pipeline()?.routing?.canary,
            zoneOf,
          )
        : new RampedConnections(table, this.ports, ramp, zoneOf);
    this.plan.take([...table.values()], isPart);
  }

  private createLoad(): EndpointLoad {
    return new EndpointLoad(this.pickers.fleet, this.settings?.policy.latency);
  }

  private onConnectionChange(connection: EndpointConnection, from: ConnectionState): void {
    if (this.closed || this.table?.moved(connection, from) !== true) return;
    const { state, lastError } = connection;
    if (state === 'failed' && lastError !== undefined) this.state.lastError = lastError;
    if (connection.state === 'idle') this.helper.requestReresolution();
    this.plan?.onChange(connection);
    this.schedulePublish(connection.state === 'ready');
  }

  /**
   * Coalesces changes, so that a hundred of them make one picker; meanwhile the old picker passes over lost connections. A connection
   * that becomes ready is published at once: calls may wait for it.
   */
  private schedulePublish(isUrgent = false): void {
    if (!this.updating) this.publishing.request(isUrgent);
  }

  private publish(): void {
    const { settings, table } = this;
    if (settings !== undefined && table !== undefined) this.state.publish(settings, table, this);
  }
}
