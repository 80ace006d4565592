/** Publishes the state of one balancer to its channel, with the picker that belongs to it. */
import { connectivityState } from '@grpc/grpc-js';
import {
  type ChannelControlHelper,
  type GrpcPicker,
  type LoadBalancer,
  QueuePicker,
  UnavailablePicker,
} from '../grpc-js/grpc-experimental.js';
import type { AggregateState } from './aggregate-state.js';

/** What a channel does with its calls: they go to `picker`, wait or fail. */
export type PublishedState =
  | Exclude<AggregateState, { readonly calls: 'pick' }>
  | { readonly calls: 'pick'; readonly picker: GrpcPicker };

/** Publishes the states of one balancer to its channel. */
export class StatePublisher {
  private published: PublishedState['calls'] | undefined;

  /** @param balancer the balancer, which connects when a call waits */
  constructor(
    private readonly helper: ChannelControlHelper,
    private readonly balancer: LoadBalancer,
  ) {}

  publish(state: PublishedState): void {
    const before = this.published;
    this.published = state.calls;
    const { helper } = this;
    switch (state.calls) {
      case 'pick':
        helper.updateState(connectivityState.READY, state.picker, null);
        return;
      case 'fail': {
        const { details } = state;
        const picker = new UnavailablePicker({ details });
        helper.updateState(connectivityState.TRANSIENT_FAILURE, picker, details);
        return;
      }
      case 'wait':
        // CONNECTING is not repeated, because every update wakes the waiting calls for nothing.
        if (before === 'wait') return;
        helper.updateState(connectivityState.CONNECTING, new QueuePicker(this.balancer), null);
    }
  }
}
