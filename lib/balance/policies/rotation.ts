/** `round_robin` and `weighted_round_robin`: one rotation, without or with the weights in the records. */
import type { Candidate } from '../candidate.js';
import type { Picker } from '../picker.js';
import type { PickerContext, PolicyDefinition } from '../policy-definition.js';
import { areEqual, type Pool } from '../pool.js';
import { RoundRobin } from './round-robin.js';
import { WeightedSchedule } from './weighted-schedule.js';

/** Exact rotation over all live endpoints. The modifiers may still make their weights differ. */
export const roundRobin = {
  name: 'round_robin',
  usesWeight: false,
  usesLoad: false,
  needsWholeList: false,
  connects: 'all',
  options: {},
  createPicker: createRotation,
} as const satisfies PolicyDefinition;

/** Smooth rotation over all live endpoints, in proportion to the weights in the records. */
export const weightedRoundRobin = {
  ...roundRobin,
  name: 'weighted_round_robin',
  usesWeight: true,
} as const satisfies PolicyDefinition;

function createRotation<C extends Candidate>(
  pool: Pool<C>,
  _options: object,
  { random }: PickerContext,
  previous: Picker<C> | undefined,
): Picker<C> {
  // With equal weights the schedule is a plain rotation, exact and in O(1).
  return areEqual(pool.weights)
    ? new RoundRobin(pool.candidates, random, previous)
    : new WeightedSchedule(pool, random, previous);
}
