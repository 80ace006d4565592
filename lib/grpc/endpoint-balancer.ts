/**
 * The balancer under every policy. It owns the connections, keeps them and their statistics by identity while lists come
 * and go, and publishes a fresh picker when something that matters has changed. Every update costs O(N).
 */
import { type ChannelOptions, connectivityState } from '@grpc/grpc-js';
import { EndpointLoad } from '../balance/endpoint-load.js';
import { isLoadAware } from '../balance/policy.js';
import { pickSubset } from '../balance/subset.js';
import type { CancelTimer } from '../core/clock.js';
import type { Endpoint } from '../core/endpoint.js';
import { BALANCER_NAME, BalancerConfig, type BalancerSettings } from './balancer-config.js';
import {
  type BalancerPorts,
  createConnectionContext,
  type LiveSettings,
} from './connection-context.js';
import { ConnectionRamp, HEAD_START_MS, inRampOrder, SINGLE_RAMP } from './connection-ramp.js';
import { ConnectionTable } from './connection-table.js';
import type { ConnectionState, EndpointConnection } from './endpoint-connection.js';
import { EndpointPicker, type PickerHost } from './endpoint-picker.js';
import { FleetPicker } from './fleet-picker.js';
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
import { isPartialList, mayBeginOnPart } from './partial-list.js';
import { discoveredEndpoints } from './resolved-endpoint.js';
import { TurnGatherer } from './turn-gatherer.js';

/** One channel's balancer. */
export class EndpointBalancer implements LoadBalancer, PickerHost {
  measures = false;
  private readonly pickers: FleetPicker;
  private readonly publishing = new TurnGatherer(() => this.publish());
  private readonly isListed = (connection: EndpointConnection) =>
    this.table?.has(connection) === true;
  /** What the connections see of the settings; they outlive each of them. */
  private live: LiveSettings | undefined;
  private table: ConnectionTable | undefined;
  private settings: BalancerSettings | undefined;
  private ramp: ConnectionRamp | undefined;
  private cancelHeadStart: CancelTimer | undefined;
  private outliers: OutlierWatch | undefined;
  private published: connectivityState = connectivityState.IDLE;
  private lastError = 'no connection was tried yet';
  private note = '';
  /** An update is being worked in: what changes meanwhile is published at its end. */
  private updating = false;
  private rampScheduled = false;
  private closed = false;

  constructor(
    private readonly helper: ChannelControlHelper,
    private readonly ports: BalancerPorts,
  ) {
    this.pickers = new FleetPicker(ports, () => this.publish());
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
    if (list.ok) this.replace(table, discoveredEndpoints(list.value), settings, isPart);
    this.outliers?.judge();
    this.updating = false;
    // A list that is in use stays in use; without one, calls are to fail with what the resolver says.
    if (!list.ok && table.size === 0) {
      this.fail(list.error.details);
      return true;
    }
    this.runRamp();
    this.publishing.run();
    return true;
  }

  exitIdle(): void {
    this.runRamp();
  }

  resetBackoff(): void {
    for (const { subchannel } of this.table?.values() ?? []) {
      subchannel?.getRealSubchannel().resetBackoff();
    }
  }

  destroy(): void {
    this.closed = true;
    this.cancelHeadStart?.();
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
    const { table } = this;
    if (table === undefined || table.count.idle === 0) return;
    if (this.settings?.policy.name === 'pick_first') return;
    if (this.ramp?.demand(table.size) === true) this.scheduleRamp();
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
    this.measures = isLoadAware(policy) || settings.outliers !== undefined;
    this.live = Object.assign(this.live ?? {}, { healthService, connectTimeoutMs });
    const ramp = policy.name === 'pick_first' ? SINGLE_RAMP : settings.ramp;
    this.ramp ??= new ConnectionRamp(ramp);
    this.ramp.configure(ramp);
    this.outliers?.stop();
    this.outliers =
      settings.outliers === undefined
        ? undefined
        : new OutlierWatch(
            settings.outliers,
            this.ports.clock,
            () => this.table?.values() ?? [],
            () => this.schedulePublish(),
          );
    this.table ??= new ConnectionTable(
      createConnectionContext(this.helper, subchannelOptions(options), this.ports, this.live, {
        onChange: (connection, from) => this.onConnectionChange(connection, from),
      }),
      () => this.createLoad(),
    );
    if (isOtherHealth) for (const connection of this.table.values()) connection.recheck();
    return this.table;
  }

  private replace(
    table: ConnectionTable,
    listed: readonly Endpoint[],
    settings: BalancerSettings,
    isPart: boolean,
  ): void {
    const all = listed.map((endpoint) => table.factsOf(endpoint));
    const isFirst = table.size === 0 || this.ramp?.isPartial === true;
    const joined = table.replace(
      settings.subset === undefined ? all : pickSubset(all, settings.subset),
    );
    if (isFirst) this.begin(table, settings, isPart);
    else for (const connection of joined) this.ramp?.expedite(connection);
    this.ramp?.prune(table.size, this.isListed);
  }

  private begin(table: ConnectionTable, { pipeline }: BalancerSettings, isPart: boolean): void {
    const { ramp, ports } = this;
    ramp?.begin(inRampOrder(table.values(), pipeline.locality?.zone, ports.random), isPart);
    this.cancelHeadStart?.();
    if (!isPart && table.count.ready > 0) ramp?.open();
    if (ramp?.isOpen !== false || table.size === 0) return;
    this.cancelHeadStart = ports.clock.setTimer(HEAD_START_MS, () => {
      if (table.count.ready === 0) ramp.open();
      this.runRamp();
    });
  }

  private createLoad(): EndpointLoad {
    const policy = this.settings?.policy;
    return new EndpointLoad(this.pickers.fleet, policy?.name === 'peak_ewma' ? policy : undefined);
  }

  private onConnectionChange(connection: EndpointConnection, from: ConnectionState): void {
    if (this.closed || this.table?.moved(connection, from) !== true) return;
    if (connection.state === 'ready') this.onReady(this.table, this.ramp);
    if (connection.state === 'failed') this.lastError = connection.lastError ?? this.lastError;
    if (connection.state === 'idle') {
      // It was ready: it comes before those that were never tried.
      this.ramp?.expedite(connection);
      this.helper.requestReresolution();
    }
    this.scheduleRamp();
    this.schedulePublish(connection.state === 'ready');
  }

  private onReady(table: ConnectionTable, ramp: ConnectionRamp | undefined): void {
    if (ramp?.isPartial === false) ramp.open();
    for (const guest of ramp?.takeGuests(table.count.ready) ?? []) table.rest(guest);
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
    if (this.table === undefined) return;
    const { connecting, ready } = this.table.count;
    this.ramp?.run(connecting, connecting + ready, this.isListed);
  }

  /**
   * Changes are gathered, so that a hundred of them make one picker; meanwhile the old one passes over who is lost. Only who becomes
   * ready is used at once: calls may be waiting for it.
   */
  private schedulePublish(isUrgent = false): void {
    if (!this.updating) this.publishing.request(isUrgent);
  }

  private publish(): void {
    const { settings, table, note } = this;
    if (settings === undefined || table === undefined) return;
    if (table.size === 0) {
      this.fail(note === '' ? 'the list of endpoints is empty' : note);
    } else if (table.count.ready > 0) {
      this.publishReady(settings, table);
    } else if (table.count.failed >= Math.min(table.size, settings.ramp.eager)) {
      this.fail(
        `none of ${table.size} endpoints can be reached (${note}); last: ${this.lastError}`,
      );
    } else {
      this.pickers.forget();
      this.update(connectivityState.CONNECTING, new QueuePicker(this), null);
    }
  }

  private publishReady(settings: BalancerSettings, table: ConnectionTable): void {
    const picker = this.pickers.next(
      settings,
      table.values(),
      (connection) => this.outliers?.isEjected(connection.load.tally) === true,
    );
    if (picker === undefined) {
      this.fail(`no reachable endpoint matches the client's routing (${this.note})`);
    } else {
      this.update(connectivityState.READY, new EndpointPicker(picker, this), null);
    }
  }

  private fail(details: string): void {
    this.pickers.forget();
    this.update(connectivityState.TRANSIENT_FAILURE, new UnavailablePicker({ details }), details);
  }

  private update(...[state, picker, message]: Parameters<ChannelControlHelper['updateState']>) {
    // A channel that waits asks for nothing new: the same again would only wake its calls in vain.
    if (state === connectivityState.CONNECTING && this.published === state) return;
    this.published = state;
    this.helper.updateState(state, picker, message);
  }
}
