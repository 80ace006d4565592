/** Which endpoints of a list a channel may ever call: what decides that comes before any connection is made. */
import type { EndpointFacts } from '../../balance/candidate.js';
import { matchesEndpoint } from '../../balance/modifiers/routing.js';
import { pickSubset } from '../../balance/modifiers/subset.js';
import type { BalancerSettings } from './balancer-config.js';

/**
 * Those that match the client's routing, and of these its subset. Of canaries there is a subset of their own: few as they are, that of
 * the whole might hold none of them, or nobody else.
 */
export function eligibleEndpoints<E extends EndpointFacts>(
  endpoints: readonly E[],
  { pipeline, subset }: Pick<BalancerSettings, 'pipeline' | 'subset'>,
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
