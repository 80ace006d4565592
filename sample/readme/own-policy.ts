import {
  type Candidate,
  DiscoveryModule,
  type Picker,
  type PickRequest,
  type Pool,
  registerLoadBalancingPolicy,
} from 'nestjs-grpc-discovery';

/** Calls with `x-priority: high` go to the heaviest server, all others rotate over the rest. */
class ReserveHeaviest<C extends Candidate> implements Picker<C> {
  private readonly heaviest: C;
  private readonly others: readonly C[];
  private next = 0;

  constructor({ candidates }: Pool<C>) {
    const [heaviest, ...others] = candidates.toSorted((one, other) => other.weight - one.weight);
    if (heaviest === undefined) throw new Error('a pool is never empty');
    this.heaviest = heaviest;
    this.others = others;
  }

  pick(request: PickRequest): C {
    if (request.header('x-priority') === 'high') return this.heaviest;
    return this.others[this.next++ % this.others.length] ?? this.heaviest;
  }
}

registerLoadBalancingPolicy('reserve_heaviest', (pool) => new ReserveHeaviest(pool));

/** Modifiers work with this policy as with the built-in ones: its pool contains only healthy servers. */
export const clients = DiscoveryModule.forFeature([
  {
    name: 'api',
    package: 'user',
    protoPath: 'user.proto',
    loadBalancing: { policy: 'reserve_heaviest', outlierDetection: true },
  },
]);
