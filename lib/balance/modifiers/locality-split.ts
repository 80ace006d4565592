/** How calls prefer the client's own zone. */
export interface LocalityOptions {
  /** The zone this client runs in. */
  readonly zone: string;
  /**
   * The own zone keeps all calls as long as its healthy capacity times this is what it needs, at least 1. Default 1.4,
   * as Envoy's overprovisioning factor: 29 % of a zone may be missing before calls leave it.
   */
  readonly overprovisioning?: number;
  /**
   * The share of all clients' calls that come from this zone, in (0, 1]. Default: 1 / the number of zones the
   * endpoints are in, that is, clients spread evenly.
   */
  readonly trafficShare?: number;
}

/**
 * - `usable`: it can be called now.
 * - `untried`: its state is not known yet; the balancer connects to a large fleet step by step, as calls come.
 * - `missing`: it cannot be called: not reachable, not healthy, or ejected.
 */
export type LocalityStanding = 'usable' | 'untried' | 'missing';

/** One endpoint as the split sees it. */
export interface LocalityMember {
  /** Its zone; all endpoints without a zone count as one zone, which is no client's own. */
  readonly zone: string | undefined;
  /** Its capacity relative to the others: its weight, above 0. */
  readonly weight: number;
  readonly standing: LocalityStanding;
}

/**
 * What to multiply each endpoint's weight by, so that calls stay in the own zone as far as it can take them:
 *
 *     own share  = min(1, overprovisioning × weight of own zone that is not missing / (trafficShare × weight of all endpoints))
 *     rest       = goes to the usable endpoints of the other zones, in proportion to their weight
 *
 * The denominator is the own zone's fair part of the whole fleet. So calls spill when endpoints of the zone are
 * unhealthy, and equally when the zone is too small for its clients, which a rule that asks only "which share of the
 * zone is healthy" misses. An untried endpoint is capacity: a client that is connected to 64 of a zone's 1,000 connects
 * to more when it calls more, and has no reason to leave.
 *
 * Source: Envoy's priority load (`min(1, 1.4 × healthy)`, "Priority levels") with the comparison of zone percentages of
 * its zone aware routing; here the clients' part is assumed or given, since clients are not registered.
 *
 * @param members all endpoints known, whatever their standing
 * @returns a factor for each member, in [0, 1]: 0 where it gets nothing, and exactly 1 where it gets the most, so that
 *   while no call spills, weights stay as they are when endpoints come and go. All 0 if none is usable
 */
export function splitByLocality(
  members: readonly LocalityMember[],
  options: LocalityOptions,
): Float64Array {
  const zones = new Set<string | undefined>([options.zone]);
  let all = 0;
  let present = 0;
  let own = 0;
  let others = 0;
  for (const { zone, weight, standing } of members) {
    zones.add(zone);
    all += weight;
    if (zone === options.zone && standing !== 'missing') present += weight;
    if (standing !== 'usable') continue;
    if (zone === options.zone) own += weight;
    else others += weight;
  }
  const need = (options.trafficShare ?? 1 / zones.size) * all;
  const wanted = Math.min(1, ((options.overprovisioning ?? 1.4) * present) / need);
  const share = own === 0 ? 0 : others === 0 ? 1 : wanted;
  const perOwn = own === 0 ? 0 : share / own;
  const perOther = others === 0 ? 0 : (1 - share) / others;
  const most = Math.max(perOwn, perOther);
  return Float64Array.from(members, ({ zone, standing }) => {
    if (standing !== 'usable') return 0;
    return (zone === options.zone ? perOwn : perOther) / most;
  });
}
