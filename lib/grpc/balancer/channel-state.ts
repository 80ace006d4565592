/** What a balancer tells its channel: the state and the picker that follow from its connections as they are. */
import { connectivityState } from '@grpc/grpc-js';
import type { Picker } from '../../balance/picker.js';
import type { BalancerSettings } from './balancer-config.js';
import type { ConnectionTable } from '../connection/connection-table.js';
import type { EndpointConnection } from '../connection/endpoint-connection.js';
import { EndpointPicker, type PickerHost, policyFailure } from './endpoint-picker.js';
import type { FleetPicker } from './fleet-picker.js';
import {
  type ChannelControlHelper,
  type LoadBalancer,
  QueuePicker,
  UnavailablePicker,
} from '../grpc-js/grpc-experimental.js';

/** What the state follows from, beside the connections. */
export interface ListFacts {
  /** What the resolver says of the list: for whoever reads why calls fail. */
  readonly note: string;
  /** The list had endpoints, eligible or not. */
  readonly hasList: boolean;
}

/** The channel's side of one balancer. */
export class ChannelState {
  /** Why the last attempt to connect failed. */
  lastError = 'no connection was tried yet';
  private told: connectivityState = connectivityState.IDLE;

  /**
   * @param host the balancer: asked to connect by calls that wait, and told of every pick
   * @param isEjected whether outlier detection leaves a connection out
   */
  constructor(
    private readonly helper: ChannelControlHelper,
    private readonly pickers: FleetPicker,
    private readonly host: LoadBalancer & PickerHost,
    private readonly isEjected: (connection: EndpointConnection) => boolean,
  ) {}

  /** Tells the channel how things stand. O(n). */
  publish(settings: BalancerSettings, table: ConnectionTable, list: ListFacts): void {
    if (table.size === 0) {
      this.failEmpty(list);
    } else if (table.count.ready > 0) {
      this.publishReady(settings, table, list);
    } else if (table.count.failed >= Math.min(table.size, settings.ramp.eager)) {
      this.fail(
        `[NO_ENDPOINTS] none of ${table.size} endpoints can be reached (${list.note}); last: ${this.lastError}`,
      );
    } else {
      this.pickers.forget();
      this.tell(connectivityState.CONNECTING, new QueuePicker(this.host), null);
    }
  }

  /** Has every call fail that does not wait for better times. */
  fail(details: string): void {
    this.pickers.forget();
    this.tell(connectivityState.TRANSIENT_FAILURE, new UnavailablePicker({ details }), details);
  }

  private failEmpty({ note, hasList }: ListFacts): void {
    if (hasList) this.fail(`[NO_ENDPOINTS] no endpoint matches the client's routing (${note})`);
    else this.fail(note === '' ? '[NO_ENDPOINTS] the list of endpoints is empty' : note);
  }

  private publishReady(settings: BalancerSettings, table: ConnectionTable, list: ListFacts): void {
    let picker: Picker<EndpointConnection> | undefined;
    try {
      picker = this.pickers.next(settings, table.values(), this.isEjected);
    } catch (error) {
      this.fail(policyFailure(error));
      return;
    }
    if (picker === undefined) {
      this.fail(`[NO_ENDPOINTS] no reachable endpoint matches the client's routing (${list.note})`);
    } else {
      this.tell(connectivityState.READY, new EndpointPicker(picker, this.host), null);
    }
  }

  private tell(...[state, picker, message]: Parameters<ChannelControlHelper['updateState']>): void {
    // A channel that waits asks for nothing new: the same again would only wake its calls in vain.
    if (state === connectivityState.CONNECTING && this.told === state) return;
    this.told = state;
    this.helper.updateState(state, picker, message);
  }
}
