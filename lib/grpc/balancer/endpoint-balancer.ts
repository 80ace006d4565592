/**
 * The balancer of every policy. It owns the connections, keeps each of them and its statistics while its
 * endpoint is listed, and publishes a new picker when the list, the settings or a connection has changed.
 * Every update costs O(N).
 */
import type { ChannelOptions } from '@grpc/grpc-js';
import { EndpointLoad } from '../../balance/load/endpoint-load.js';
import { aggregateState } from './aggregate-state.js';
import { BALANCER_NAME, BalancerConfig, type BalancerSettings } from './balancer-config.js';
import type { BalancerPorts, ConnectionSettings } from '../connection/connection-settings.js';
import type { ConnectPlan } from '../connection/connect-plan.js';
import { ConnectionTable } from '../connection/connection-table.js';
import type { ConnectionState, EndpointConnection } from '../connection/endpoint-connection.js';
import { PickFirstPlan } from '../connection/pick-first-plan.js';
import { RampPlan } from '../connection/ramp-plan.js';
import { subchannelDialer } from '../connection/subchannel-transport.js';
import { type CallObserver, EndpointPicker, policyFailure } from './endpoint-picker.js';
import {
  type ChannelControlHelper,
  type GrpcEndpoint,
  type LoadBalancer,
  type StatusOr,
  type TypedLoadBalancingConfig,
} from '../grpc-js/grpc-experimental.js';
import {
  eligibleEndpoints,
  isUsableList,
  type ListFacts,
  nextListFacts,
  NO_LIST,
} from '../list-facts.js';
import { OutlierWatch } from './outlier-watch.js';
import { PickerSource } from './picker-source.js';
import { type PublishedState, StatePublisher } from './state-publisher.js';
import { discoveredFacts } from '../resolved-endpoint.js';
import { TurnGatherer } from '../turn-gatherer.js';

/**
 * Connects one channel to the endpoints of its list, and gives the channel the picker that chooses an
 * endpoint for each call.
 */
export class EndpointBalancer implements LoadBalancer {
  private readonly channel: StatePublisher;
  private readonly pickers: PickerSource;
  private readonly publishing = new TurnGatherer(() => this.publish());
  private readonly isEjected = (connection: EndpointConnection) =>
    this.outliers?.isEjected(connection.load.tally) === true;
  private readonly calls: CallObserver = {
    onPick: () => this.plan?.onCall(),
    onFailure: ({ tally }) => this.outliers?.onFailure(tally),
  };
  private list: ListFacts = NO_LIST;
  private settings: BalancerSettings | undefined;
  private table: ConnectionTable | undefined;
  private plan: ConnectPlan | undefined;
  private outliers: OutlierWatch | undefined;
  /** An update is under way: changes of connections are published at its end. */
  private updating = false;
  private closed = false;

  constructor(
    private readonly helper: ChannelControlHelper,
    private readonly ports: BalancerPorts,
  ) {
    this.channel = new StatePublisher(helper, this);
    this.pickers = new PickerSource(ports, this.isEjected, () => this.publish());
  }

  updateAddressList(
    list: StatusOr<GrpcEndpoint[]>,
    config: TypedLoadBalancingConfig,
    options: ChannelOptions,
    note: string,
  ): boolean {
    if (this.closed || !(config instanceof BalancerConfig)) return false;
    const { settings } = config;
    const listed = list.ok ? discoveredFacts(list.value) : undefined;
    const facts = nextListFacts(this.list, listed, options, note);
    // The settings need the whole list, and this is its first page: calls wait.
    if (!isUsableList(facts, settings)) return true;
    this.list = facts;
    this.updating = true;
    const table = this.configure(settings, options);
    const joined = listed === undefined ? [] : table.replace(eligibleEndpoints(listed, settings));
    this.follow(table, settings, joined);
    this.outliers?.judge();
    this.updating = false;
    // If the resolver failed, a list that is in use stays in use. Without a list, calls fail with the
    // resolver's error.
    if (!list.ok && table.size === 0) {
      this.announce({ calls: 'fail', details: list.error.details });
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
    for (const connection of this.table?.values() ?? []) connection.resetBackoff();
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

  /** Makes the table of connections, or gives these settings to the existing one. */
  private configure(settings: BalancerSettings, options: ChannelOptions): ConnectionTable {
    if (this.table !== undefined && this.settings === settings) return this.table;
    this.settings = settings;
    this.watchOutliers(settings);
    const ofConnections = connectionSettings(settings);
    if (this.table !== undefined) {
      this.table.configure(ofConnections);
      return this.table;
    }
    const { clock, random } = this.ports;
    const { fleet } = this.pickers;
    this.table = new ConnectionTable(ofConnections, {
      clock,
      random,
      dial: subchannelDialer(this.helper, options),
      createLoad: (latency) => new EndpointLoad(fleet, latency),
      onChange: (connection, from) => this.onConnectionChange(connection, from),
    });
    return this.table;
  }

  /** Starts, configures or stops outlier detection. New options end no ejection; a stop ends them all. */
  private watchOutliers({ outliers }: BalancerSettings): void {
    if (outliers === undefined) {
      this.outliers?.stop();
      this.outliers = undefined;
      return;
    }
    this.outliers?.configure(outliers);
    // If the policy connects to one endpoint only, an idle endpoint counts as usable, too: the plan connects
    // to it when the chosen endpoint is ejected.
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

  /**
   * Gives the list to the plan. If the policy needs another kind of plan, a new plan begins with all
   * connections of the table.
   */
  private follow(
    table: ConnectionTable,
    { policy, pipeline, ramp }: BalancerSettings,
    joined: readonly EndpointConnection[],
  ): void {
    const preferences = { zone: pipeline.locality?.zone, canary: pipeline.routing?.canary };
    const isFirst = policy.connects === 'first';
    if (this.plan instanceof (isFirst ? PickFirstPlan : RampPlan)) {
      this.plan.follow(joined, this.list, preferences);
      return;
    }
    this.plan?.stop();
    this.plan = isFirst
      ? new PickFirstPlan(table, this.ports.random, this.isEjected)
      : new RampPlan(table, this.ports, ramp);
    this.plan.follow([...table.values()], this.list, preferences);
  }

  private onConnectionChange(connection: EndpointConnection, from: ConnectionState): void {
    if (this.closed || this.table?.recordTransition(connection, from) !== true) return;
    if (connection.state === 'idle') this.helper.requestReresolution();
    this.plan?.onChange(connection);
    this.schedulePublish(connection.state === 'ready');
  }

  /**
   * Coalesces the state changes of one event-loop turn into one picker; until then the current picker skips
   * lost connections. If the first change of a turn makes a connection ready, the picker is published at
   * once: calls may wait for it.
   */
  private schedulePublish(isUrgent = false): void {
    if (!this.updating) this.publishing.request(isUrgent);
  }

  private publish(): void {
    const { settings, table, list } = this;
    if (settings === undefined || table === undefined) return;
    const { count, lastError } = table;
    const state = aggregateState({ count, lastError, list, eager: settings.ramp.eager });
    this.announce(state.calls === 'pick' ? this.pickable(settings, table) : state);
  }

  /** What to publish while at least one connection is ready. */
  private pickable(settings: BalancerSettings, table: ConnectionTable): PublishedState {
    try {
      const chosen = this.pickers.next(settings, table.values());
      if (chosen === undefined) {
        const details = `[NO_ENDPOINTS] no reachable endpoint matches the client's routing (${this.list.note})`;
        return { calls: 'fail', details };
      }
      const measures = settings.policy.usesLoad || settings.outliers !== undefined;
      const picker = new EndpointPicker(chosen, this.ports.clock, this.calls, measures);
      return { calls: 'pick', picker };
    } catch (error) {
      return { calls: 'fail', details: policyFailure(error) };
    }
  }

  private announce(state: PublishedState): void {
    if (state.calls !== 'pick') this.pickers.forget();
    this.channel.publish(state);
  }
}

function connectionSettings(settings: BalancerSettings): ConnectionSettings {
  const { connectTimeoutMs, healthService, policy } = settings;
  return { connectTimeoutMs, healthService, latency: policy.latency };
}
