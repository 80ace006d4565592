/**
 * Facts about a list of endpoints: one value that goes with the list from the resolver through the balancer
 * to the connect plan. Also chooses the endpoints that a client may use.
 */
import type { ChannelOptions } from '@grpc/grpc-js';
import type { EndpointFacts } from '../balance/candidate.js';
import type { PipelineOptions } from '../balance/candidate-pipeline.js';
import { matchesEndpoint } from '../balance/modifiers/routing.js';
import { pickSubset, type SubsetOptions } from '../balance/modifiers/subset.js';
import type { Policy } from '../balance/policy.js';
import type { DirectoryState } from '../registry/directory/service-directory.js';
import { privateChannelOption } from './grpc-js/grpc-experimental.js';

/** What is known of a list besides its endpoints. */
export interface ListFacts {
  /**
   * The list is the first page of a long list; the rest follows. A first call then need not wait until
   * thousands of records are read.
   */
  readonly isPart: boolean;
  /** The list has endpoints, eligible or not. */
  readonly hasEndpoints: boolean;
  /** The resolver's description of the list, for the error of a call that fails. */
  readonly note: string;
}

/** The facts that a balancer has before its first list. */
export const NO_LIST: ListFacts = { isPart: false, hasEndpoints: false, note: '' };

/** The settings that decide which endpoints of a list a client uses. */
export interface ListSettings {
  readonly policy: Policy;
  readonly pipeline: PipelineOptions;
  /** The subset of endpoints that the client uses; `undefined`: all endpoints. */
  readonly subset: SubsetOptions | undefined;
}

const PARTIAL_LIST = privateChannelOption('nestjs_grpc_discovery.partial_list');

/** Whether this state of a directory has only the first page of its list so far. */
export function isFirstPage({ isPart }: Pick<DirectoryState, 'isPart'>): boolean {
  return isPart === true;
}

/** Channel options that the resolver gives to the balancer together with the list of this state. */
export function listAttributes(state: Pick<DirectoryState, 'isPart'>): Record<string, unknown> {
  return isFirstPage(state) ? { [PARTIAL_LIST]: true } : {};
}

/**
 * The facts about a list that grpc-js gives to the balancer.
 *
 * @param before facts of the list in use
 * @param listed endpoints of the new list; `undefined`: the resolver failed, and the list in use stays in use
 * @param options channel options, with the {@link listAttributes} of the resolver among them
 */
export function nextListFacts(
  before: ListFacts,
  listed: readonly EndpointFacts[] | undefined,
  options: ChannelOptions,
  note: string,
): ListFacts {
  return {
    isPart: options[PARTIAL_LIST] === true,
    hasEndpoints: listed === undefined ? before.hasEndpoints : listed.length > 0,
    note,
  };
}

/**
 * Whether a client may connect to the endpoints of this list. The client waits for the whole list if its
 * choice depends on the whole list: a subset, routing or locality may match no endpoint of the first page,
 * and each policy declares whether it needs the whole list.
 */
export function isUsableList(
  { isPart }: Pick<ListFacts, 'isPart'>,
  { policy, pipeline, subset }: ListSettings,
): boolean {
  const choosesByAll =
    policy.needsWholeList ||
    subset !== undefined ||
    pipeline.routing !== undefined ||
    pipeline.locality !== undefined;
  return !(isPart && choosesByAll);
}

/**
 * The endpoints that a channel may ever call: those that match the client's routing, and of these its subset.
 * Canaries get a subset of their own; one subset of all endpoints could hold no canary, or only canaries.
 */
export function eligibleEndpoints<E extends EndpointFacts>(
  endpoints: readonly E[],
  { pipeline, subset }: Pick<ListSettings, 'pipeline' | 'subset'>,
): readonly E[] {
  const { match, canary } = pipeline.routing ?? {};
  const allowed =
    match === undefined ? endpoints : endpoints.filter((one) => matchesEndpoint(one, match));
  if (subset === undefined) return allowed;
  if (canary === undefined) return pickSubset(allowed, subset);
  const isCanary = (one: E): boolean => matchesEndpoint(one, canary.match);
  const others = allowed.filter((one) => !isCanary(one));
  return [...pickSubset(others, subset), ...pickSubset(allowed.filter(isCanary), subset)];
}
