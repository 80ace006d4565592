/**
 * Stands in for grpc-js around a balancer: subchannels whose states a test sets, and a helper that records
 * its calls.
 */
import { type ChannelOptions, connectivityState, Metadata } from '@grpc/grpc-js';
import type { JsonValue } from '../../../lib/core/records/endpoint.js';
import {
  BalancerConfig,
  type BalancerSettings,
} from '../../../lib/grpc/balancer/balancer-config.js';
import { EndpointBalancer } from '../../../lib/grpc/balancer/endpoint-balancer.js';
import {
  type ChannelControlHelper,
  type GrpcEndpoint,
  type GrpcPicker,
  type GrpcPickResult,
  type GrpcSubchannelAddress,
  PickResultType,
  statusOrFromError,
  statusOrFromValue,
  type Subchannel,
} from '../../../lib/grpc/grpc-js/grpc-experimental.js';
import { listAttributes } from '../../../lib/grpc/list-facts.js';
import {
  createBalancerSettings,
  type LoadBalancingOptions,
} from '../../../lib/grpc/balancer/policies.js';
import { resolvedEndpoints } from '../../../lib/grpc/resolved-endpoint.js';
import { FakeClock } from '../../../lib/testing/fake-clock.js';
import { seededRandom } from '../../support/seeded-random.js';

type StateListener = Parameters<Subchannel['addConnectivityStateListener']>[0];

/** A subchannel of grpc-js. It never changes its state by itself. */
export class FakeSubchannel {
  state = connectivityState.IDLE;
  refs = 0;
  starts = 0;
  backoffResets = 0;
  /** The HTTP/2 session that is being set up, which the connector holds. */
  readonly session = { destroyed: false };
  readonly connector = {
    session: {
      destroy: () => {
        this.session.destroyed = true;
      },
    } as { destroy(): void } | null,
  };
  private readonly listeners = new Set<StateListener>();

  constructor(
    readonly address: string,
    readonly options: ChannelOptions,
  ) {}

  /** This subchannel with the type of grpc-js's. */
  get asSubchannel(): Subchannel {
    return this as unknown as Subchannel;
  }

  get listenerCount(): number {
    return this.listeners.size;
  }

  become(state: connectivityState, error?: string): void {
    const before = this.state;
    this.state = state;
    for (const listener of this.listeners) listener(this.asSubchannel, before, state, -1, error);
  }

  ref(): void {
    this.refs++;
  }

  unref(): void {
    this.refs--;
  }

  startConnecting(): void {
    this.starts++;
    if (this.state === connectivityState.IDLE) this.become(connectivityState.CONNECTING);
  }

  resetBackoff(): void {
    this.backoffResets++;
    if (this.state === connectivityState.TRANSIENT_FAILURE)
      this.become(connectivityState.CONNECTING);
  }

  getConnectivityState(): connectivityState {
    return this.state;
  }

  getRealSubchannel(): this {
    return this;
  }

  addConnectivityStateListener(listener: StateListener): void {
    this.listeners.add(listener);
  }

  removeConnectivityStateListener(listener: StateListener): void {
    this.listeners.delete(listener);
  }
}

/** A channel with one balancer, on a fake clock. */
export class FakeChannel {
  readonly clock = new FakeClock();
  readonly random = seededRandom(1);
  readonly subchannels: FakeSubchannel[] = [];
  readonly states: connectivityState[] = [];
  picker: GrpcPicker | undefined;
  message: string | null = null;
  reresolutions = 0;
  readonly balancer: EndpointBalancer;

  constructor() {
    const helper: ChannelControlHelper = {
      createSubchannel: (address, options) => this.subchannel(address, options),
      updateState: (state, picker, message) => {
        this.states.push(state);
        this.picker = picker;
        this.message = message;
      },
      requestReresolution: () => this.reresolutions++,
      addChannelzChild: () => {},
      removeChannelzChild: () => {},
    };
    this.balancer = new EndpointBalancer(helper, { clock: this.clock, random: this.random });
  }

  get state(): connectivityState | undefined {
    return this.states.at(-1);
  }

  /** Gives a list to the balancer: addresses, or endpoints. */
  list(
    endpoints: readonly (string | GrpcEndpoint)[],
    settings: BalancerSettings = settingsOf(),
    note = 'the list',
    attributes: ChannelOptions = {},
  ): boolean {
    const list = endpoints.flatMap((entry) =>
      typeof entry === 'string' ? endpoint(entry) : entry,
    );
    return this.balancer.updateAddressList(
      statusOrFromValue(list),
      new BalancerConfig(settings),
      attributes,
      note,
    );
  }

  /** Gives the first page of a list to the balancer. */
  listPart(endpoints: readonly string[], settings: BalancerSettings = settingsOf()): boolean {
    return this.list(
      endpoints,
      settings,
      'the beginning',
      listAttributes({ isPart: true }) as ChannelOptions,
    );
  }

  /** Gives a failed resolution to the balancer. */
  unresolved(details: string, settings: BalancerSettings = settingsOf()): boolean {
    const error = statusOrFromError<GrpcEndpoint[]>({
      code: 14,
      details,
      metadata: new Metadata(),
    });
    return this.balancer.updateAddressList(error, new BalancerConfig(settings), {}, details);
  }

  /** The subchannel to an address that was made last. */
  to(address: string): FakeSubchannel {
    const found = this.subchannels.findLast((one) => one.address === address);
    if (found === undefined) throw new Error(`no connection to ${address}`);
    return found;
  }

  /** Makes the subchannels to these addresses ready, and waits until the balancer has reacted. */
  async connect(...addresses: readonly string[]): Promise<void> {
    for (const address of addresses) this.to(address).become(connectivityState.READY);
    await settled();
  }

  /** Makes one pick, with this metadata. */
  pick(headers: Readonly<Record<string, string>> = {}): GrpcPickResult {
    const metadata = new Metadata();
    for (const [name, value] of Object.entries(headers)) metadata.set(name, value);
    if (this.picker === undefined) throw new Error('nothing was published');
    return this.picker.pick({ metadata, extraPickInfo: {} });
  }

  /** Counts by address where `calls` calls go that end at once with `code`. */
  spread(calls: number, code: (address: string) => number = () => 0): Record<string, number> {
    const counts: Record<string, number> = {};
    for (let call = 0; call < calls; call++) {
      const result = this.pick();
      const address = addressOf(result);
      counts[address] = (counts[address] ?? 0) + 1;
      result.onCallStarted?.();
      result.onCallEnded?.(code(address), '', new Metadata());
    }
    return counts;
  }

  private subchannel(address: GrpcSubchannelAddress, options: ChannelOptions): Subchannel {
    const name = 'path' in address ? `unix:${address.path}` : `${address.host}:${address.port}`;
    const made = new FakeSubchannel(name, options);
    this.subchannels.push(made);
    return made.asSubchannel;
  }
}

/** The balancer's settings for these options of a client. */
export function settingsOf(
  options: LoadBalancingOptions = {},
  traits: { readonly subsetSize?: number; readonly zone?: string } = {},
): BalancerSettings {
  return createBalancerSettings(options, {
    clientId: 'client',
    subsetSize: traits.subsetSize,
    zone: traits.zone,
  });
}

/** One endpoint as the resolver gives it to the balancer. */
export function endpoint(
  address: string,
  metadata: Readonly<Record<string, JsonValue>> | null = null,
  incarnation?: string,
): GrpcEndpoint {
  const [made] = resolvedEndpoints([
    { address, metadata, ...(incarnation === undefined ? {} : { incarnation }) },
  ]);
  if (made === undefined) throw new Error(`${address} cannot be dialled`);
  return made;
}

/** The address that a pick chose. */
export function addressOf(result: GrpcPickResult): string {
  if (result.pickResultType !== PickResultType.COMPLETE || result.subchannel === null) {
    throw new Error(`no connection was picked: ${result.status?.details ?? 'queued'}`);
  }
  return (result.subchannel as unknown as FakeSubchannel).address;
}

/** Resolves when all work is done that waits for the end of this turn of the event loop. */
export function settled(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(() => setImmediate(resolve));
  });
}

/** `count` different addresses. */
export function addresses(count: number, first = 0): string[] {
  return Array.from({ length: count }, (_, at) => `10.0.0.1:${first + at + 1}`);
}
