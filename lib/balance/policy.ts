import type { Random } from '../core/clock.js';
import type { PipelineResult } from './candidate-pipeline.js';
import type { Candidate } from './candidate.js';
import { ConsistentHash, type ConsistentHashOptions } from './policies/consistent-hash.js';
import { FirstChoice } from './policies/first-choice.js';
import type { FleetLoad } from './load/fleet-load.js';
import { countInFlight } from './load/in-flight-sum.js';
import { leastRequestLoad } from './policies/least-request.js';
import { type PeakEwmaOptions } from './load/peak-ewma.js';
import { peakEwmaLoad } from './policies/peak-ewma-load.js';
import { PickTwo } from './policies/pick-two.js';
import type { Picker } from './picker.js';
import { areEqual, type Pool } from './pool.js';
import { RandomChoice } from './policies/random-choice.js';
import { RoundRobin } from './policies/round-robin.js';
import { CanaryPicker, type CanaryOptions } from './modifiers/routing.js';
import { WeightedSchedule } from './policies/weighted-schedule.js';

/** Makes the picker of a policy of the user's own; called anew whenever endpoints or weights change. */
export type PickerFactory = <C extends Candidate>(
  pool: Pool<C>,
  context: PickerContext,
  previous: Picker<C> | undefined,
) => Picker<C>;

/** A balancing policy and its options, checked and complete but for defaults. */
export type Policy =
  | { readonly name: 'pick_first' }
  | { readonly name: 'round_robin' }
  | { readonly name: 'weighted_round_robin' }
  | { readonly name: 'random' }
  | { readonly name: 'least_request' }
  | ({ readonly name: 'peak_ewma' } & PeakEwmaOptions)
  | ({ readonly name: 'consistent_hash' } & ConsistentHashOptions)
  | { readonly name: 'custom'; readonly createPicker: PickerFactory };

/** What pickers take from their balancer. */
export interface PickerContext {
  readonly random: Random;
  /** The sums over all endpoints of the balancer. */
  readonly fleet: FleetLoad;
}

const UNWEIGHTED: readonly Policy['name'][] = ['pick_first', 'round_robin', 'random'];

/** Whether a policy goes by the weight in the record. `round_robin` and `random` are even by definition. */
export function isWeighted(policy: Policy): boolean {
  return !UNWEIGHTED.includes(policy.name);
}

/** Whether a policy goes by the load of the endpoints, so that calls have to be measured for it. */
export function isLoadAware({ name }: Policy): boolean {
  return !UNWEIGHTED.includes(name) && name !== 'weighted_round_robin';
}

/**
 * The picker of a policy over one pool.
 *
 * @param previous the picker it replaces: rotations go on where that one stood
 */
export function createPicker<C extends Candidate>(
  policy: Policy,
  pool: Pool<C>,
  { random, fleet }: PickerContext,
  previous?: Picker<C>,
): Picker<C> {
  switch (policy.name) {
    case 'pick_first':
      return new FirstChoice(pool, previous);
    case 'round_robin':
    case 'weighted_round_robin':
      // Rotation is the schedule of equal weights, exact and in O(1).
      return areEqual(pool.weights)
        ? new RoundRobin(pool.candidates, random, previous)
        : new WeightedSchedule(pool, random, previous);
    case 'random':
      return new RandomChoice(pool, random);
    case 'least_request':
      return new PickTwo(pool, leastRequestLoad, random);
    case 'peak_ewma':
      return new PickTwo(
        pool,
        peakEwmaLoad(countInFlight(pool.candidates), pool.candidates.length),
        random,
      );
    case 'consistent_hash':
      return new ConsistentHash(pool, policy, random);
    case 'custom':
      return policy.createPicker(pool, { random, fleet }, previous);
  }
}

/**
 * The picker of a policy over what the modifiers left.
 *
 * @returns `undefined` if they left nobody
 */
export function createPipelinePicker<C extends Candidate>(
  policy: Policy,
  pools: PipelineResult<C>,
  canary: CanaryOptions | undefined,
  context: PickerContext,
  previous?: Picker<C>,
): Picker<C> | undefined {
  const [before, canaryBefore] =
    previous instanceof CanaryPicker
      ? [(previous as CanaryPicker<C>).stable, (previous as CanaryPicker<C>).canary]
      : [previous, undefined];
  if (pools.stable === undefined) return undefined;
  const stable = createPicker(policy, pools.stable, context, before);
  if (canary === undefined || pools.canary === undefined) return stable;
  return new CanaryPicker(
    stable,
    createPicker(policy, pools.canary, context, canaryBefore),
    canary,
    context.random,
  );
}
