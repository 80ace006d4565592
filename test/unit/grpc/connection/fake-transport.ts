/** A transport whose states a test sets. */
import type {
  HealthListener,
  Transport,
  TransportListener,
  TransportState,
} from '../../../../lib/grpc/connection/transport.js';
import type { Subchannel } from '../../../../lib/grpc/grpc-js/grpc-experimental.js';

/** One transport, which records the requests to it. */
export class FakeTransport implements Transport {
  readonly subchannel = {} as Subchannel;
  connects = 0;
  backoffResets = 0;
  brokenOff = 0;
  isReleased = false;
  /** The health call that is open, and the service that it asks about. */
  health: (HealthListener & { readonly service: string }) | undefined;
  private listener: TransportListener | undefined;

  /**
   * @param state the first state; another channel may use the transport already
   * @param canBreakOff whether an attempt can be ended while the transport stays
   */
  constructor(
    public state: TransportState = 'idle',
    private readonly canBreakOff = true,
  ) {}

  /** Sets the state and reports it. */
  become(state: TransportState, error?: string): void {
    this.state = state;
    this.listener?.(state, error);
  }

  listen(listener: TransportListener): void {
    this.listener = listener;
  }

  connect(): void {
    this.connects++;
    if (this.state === 'idle') this.become('connecting');
  }

  resetBackoff(): void {
    this.backoffResets++;
    if (this.state === 'failed') this.become('connecting');
  }

  breakOff(): boolean {
    if (this.canBreakOff) this.brokenOff++;
    return this.canBreakOff;
  }

  watchHealth(service: string, listener: HealthListener): () => void {
    const health = { ...listener, service };
    this.health = health;
    return () => {
      if (this.health === health) this.health = undefined;
    };
  }

  release(): void {
    this.isReleased = true;
    this.listener = undefined;
  }
}
