/**
 * The beginning of a long list: which channels may use it, and the mark by which the balancer knows it. A first call then does not
 * wait until thousands of records are read.
 */
import type { ChannelOptions } from '@grpc/grpc-js';
import type { BalancerSettings } from './balancer-config.js';
import { privateChannelOption } from '../grpc-js/grpc-experimental.js';

const OPTION = privateChannelOption('nestjs_grpc_discovery.partial_list');

/** The options that a resolver hands to the balancer with a list that is not whole yet. */
export const PARTIAL_LIST: Readonly<Record<string, unknown>> = { [OPTION]: true };

/** Whether the list that came with these options is not whole yet. */
export function isPartialList(options: ChannelOptions): boolean {
  return options[OPTION] === true;
}

/**
 * Whether a client may begin on the first page of its list. No, if the choice depends on the whole list: a subset, routing and locality
 * may match no endpoint of the first page, and the policy says for itself what it needs.
 */
export function mayBeginOnPart({ policy, pipeline, subset }: BalancerSettings): boolean {
  if (subset !== undefined || pipeline.routing !== undefined || pipeline.locality !== undefined) {
    return false;
  }
  return !policy.needsWholeList;
}
