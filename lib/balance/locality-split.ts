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

/** One endpoint as the split sees it. */
export interface LocalityMember {
  /** Its zone; endpoints that name none are together in one that is nobody's own. */
  readonly zone: string | undefined;
  /** Its capacity relative to the others: its weight, above 0. */
  readonly weight: number;
  /** Whether it can be called now. */
  readonly usable: boolean;
}

/**
 * What to multiply each endpoint's weight by, so that calls stay in the own zone as far as it can take them:
 *
 *     own share  = min(1, overprovisioning × usable weight of own zone / (trafficShare × weight of all endpoints))
 *     rest       = goes to the usable endpoints of the other zones, in proportion to their weight
 *
 * The denominator is the own zone's fair part of the whole fleet. So calls spill when endpoints of the zone are
 * unhealthy, and equally when the zone is too small for its clients, which a rule that asks only "which share of the
 * zone is healthy" misses.
 *
 * Source: Envoy's priority load (`min(1, 1.4 × healthy)`, "Priority levels") with the comparison of zone percentages of
 * its zone aware routing; here the clients' part is assumed or given, since clients are not registered.
 *
 * @param members all endpoints known, usable or not
 * @returns a factor for each member, 0 or more: 0 where it gets nothing. All 0 if none is usable
 */
export function splitByLocality(
  members: readonly LocalityMember[],
  options: LocalityOptions,
): Float64Array {
  const zones = new Set<string | undefined>([options.zone]);
  let all = 0;
  let own = 0;
  let others = 0;
  for (const { zone, weight, usable } of members) {
    zones.add(zone);
    all += weight;
    if (usable && zone === options.zone) own += weight;
    else if (usable) others += weight;
  }
  const need = (options.trafficShare ?? 1 / zones.size) * all;
  const share = Math.min(1, ((options.overprovisioning ?? 1.4) * own) / need);
  const ownFactor = own === 0 ? 0 : (share * (own + others)) / own;
  const otherFactor = others === 0 ? 0 : ((1 - share) * (own + others)) / others;
  return Float64Array.from(members, ({ zone, usable }) => {
    if (!usable) return 0;
    return zone === options.zone ? ownFactor : otherFactor;
  });
}
