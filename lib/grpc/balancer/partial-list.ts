/**
 * The beginning of a long list: which channels may use it, and how it is told from a whole one on its way from resolver to balancer.
 * A first call then does not wait until thousands of records are read.
 */
import type { ChannelOptions } from '@grpc/grpc-js';
import type { BalancerSettings } from './balancer-config.js';
import { privateChannelOption } from '../grpc-js/grpc-experimental.js';

const OPTION = privateChannelOption('nestjs_grpc_discovery.partial_list');

/** What a resolver hands to the balancer beside a list that is not whole yet. */
export const PARTIAL_LIST: Readonly<Record<string, unknown>> = { [OPTION]: true };

/** Whether the list these options came with is not whole yet. */
export function isPartialList(options: ChannelOptions): boolean {
  return options[OPTION] === true;
}

/**
 * Whether a client may begin on any part of its list: not where the place of an endpoint among all decides who is called. The
 * beginning of a list may hold nobody who matches a routing rule, nobody of the own zone, and another owner of a key; and
 * `pick_first` would stay with whom it has found there, as would all its neighbours.
 */
export function mayBeginOnPart({ policy, pipeline, subset }: BalancerSettings): boolean {
  if (subset !== undefined || pipeline.routing !== undefined || pipeline.locality !== undefined) {
    return false;
  }
  return !['pick_first', 'consistent_hash', 'custom'].includes(policy.name);
}
