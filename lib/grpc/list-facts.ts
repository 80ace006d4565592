/**
 * What a list is, beside its endpoints: a value that goes with it from the resolver through the balancer to the plan of its
 * connections; and what a client makes of a list before it connects.
 */
import type { ChannelOptions } from '@grpc/grpc-js';
import type { EndpointFacts } from '../balance/candidate.js';
import type { PipelineOptions } from '../balance/candidate-pipeline.js';
import { matchesEndpoint } from '../balance/modifiers/routing.js';
import { pickSubset, type SubsetOptions } from '../balance/modifiers/subset.js';
import type { Policy } from '../balance/policy.js';
import type { DirectoryState } from '../registry/directory/service-directory.js';
import { privateChannelOption } from './grpc-js/grpc-experimental.js';

/** What is known of a list. */
export interface ListFacts {
  /** The list is the first page of a long one, which follows: a first call then does not wait until thousands of records are read. */
  readonly isPart: boolean;
  /** The list has endpoints, eligible or not. */
  readonly hasEndpoints: boolean;
  /** What the resolver says about the list, for the error of a call that fails. */
  readonly note: string;
}

/** Before the first list. */
export const NO_LIST: ListFacts = { isPart: false, hasEndpoints: false, note: '' };

/** The settings that decide which endpoints of a list a client uses. */
export interface ListSettings {
  readonly policy: Policy;
  readonly pipeline: PipelineOptions;
  /** `undefined`: all endpoints. */
  readonly subset: SubsetOptions | undefined;
}

const PARTIAL_LIST = privateChannelOption('nestjs_grpc_discovery.partial_list');

/** Whether the directory has only the first page of the list yet. */
export function isFirstPage({ isPart }: Pick<DirectoryState, 'isPart'>): boolean {
  return isPart === true;
}

/** The options that the resolver hands to the balancer with the list of this state. */
export function listAttributes(state: Pick<DirectoryState, 'isPart'>): Record<string, unknown> {
  return isFirstPage(state) ? { [PARTIAL_LIST]: true } : {};
}

/**
 * What the balancer knows of the list that grpc-js hands to it.
 *
 * @param listed `undefined`: the resolver failed, and the list before stays in use
 * @param options the attributes of the list among them
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
 * Whether a client may connect by this list. It waits for a whole one if its choice depends on that: a subset, routing and locality may
 * match no endpoint of the first page, and the policy says for itself what it needs.
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
 * The endpoints that a channel may ever call: those that match the client's routing, and of these its subset. Canaries get a subset of
 * their own; one subset of the whole list could hold no canary, or nothing else.
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
