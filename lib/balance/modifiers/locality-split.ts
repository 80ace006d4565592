/** How calls prefer the client's own zone. */
export interface LocalityOptions {
  /** The zone in which this client runs. */
  readonly zone: string;
  /**
   * The own zone keeps all calls while its healthy capacity times this factor covers its need; at least 1.
   * Default 1.4, which is Envoy's overprovisioning factor: 29 % of a zone may be missing before calls leave
   * it.
   */
  readonly overprovisioning?: number;
  /**
   * The share of all clients' calls that come from this zone, in (0, 1]. Default: 1 / the number of zones
   * that have endpoints, as if clients were spread evenly over the zones.
   */
  readonly trafficShare?: number;
}

/**
 * What the balancer knows about an endpoint:
 * - `usable`: it can be called now.
 * - `untried`: its state is not known yet; the balancer connects to a large fleet step by step, as calls
 *   come.
 * - `missing`: it cannot be called: not reachable, not healthy, or ejected.
 */
type LocalityStanding = 'usable' | 'untried' | 'missing';

/** One endpoint, as far as the split by zones needs it. */
export interface LocalityMember {
  /** The zone of the endpoint; endpoints without a zone count as one zone, which is no client's own zone. */
  readonly zone: string | undefined;
  /** The capacity of the endpoint relative to the others: its weight, above 0. */
  readonly weight: number;
  readonly standing: LocalityStanding;
}

/**
 * The factor for each endpoint's weight, so that calls stay in the own zone as far as that zone can take
 * them:
 *
 *     own share  = min(1, overprovisioning × present weight / (trafficShare × weight of all endpoints))
 * rest       = goes to the usable endpoints of the other zones, in proportion to their weight
 *
 * The present weight is that of the own zone's endpoints that are not missing. The denominator is that zone's
 * fair part of the whole fleet. So calls go to other zones when endpoints of the zone are unhealthy, and also
 * when the zone is too small for its clients; a rule that looks only at the healthy share of the zone would
 * miss that. An untried endpoint counts as capacity: a client that is connected to 64 of a zone's 1,000
 * endpoints connects to more when it calls more, and has no reason to leave the zone.
 *
 * Source: Envoy's priority load (`min(1, 1.4 × healthy)`, "Priority levels") with the comparison of zone
 * percentages of its zone aware routing; here the clients' part is assumed or given, since clients are not
 * registered.
 *
 * @param members all known endpoints, whatever their standing
 * @returns a factor in [0, 1] for each member: 0 for a member that gets no calls, and exactly 1 for those
 *   that get the most. So weights stay as they are when endpoints come and go, as long as no call leaves the
 *   zone. All factors are 0 if no member is usable
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
