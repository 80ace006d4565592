/** A policy as one client has configured it, and its picker for the endpoints that the modifiers left. */
import type { PipelineResult } from './candidate-pipeline.js';
import type { Candidate } from './candidate.js';
import type { PeakEwmaOptions } from './load/peak-ewma.js';
import { CanaryPicker, type CanaryOptions } from './modifiers/routing.js';
import type { Picker } from './picker.js';
import type {
  PickerContext,
  PickerFactory,
  PolicyDefinition,
  PolicyFacts,
} from './policy-definition.js';

/** A policy with a value for each of its options. */
export interface Policy extends PolicyFacts {
  readonly options: object;
  /** How the latency of an endpoint is estimated; `undefined`: the policy does not say. */
  readonly latency: PeakEwmaOptions | undefined;
  readonly createPicker: PickerFactory;
}

/**
 * Makes the policy of one client from a definition and the client's options.
 *
 * @param given checked values by the names of options; other fields are ignored, and a missing value is the
 *   option's default
 */
export function configurePolicy(
  definition: PolicyDefinition,
  given: Readonly<Record<string, unknown>> = {},
): Policy {
  const { name, usesWeight, usesLoad, needsWholeList, connects } = definition;
  const options = Object.fromEntries(
    Object.entries(definition.options).map(([field, option]) => [
      field,
      given[field] ?? option.default,
    ]),
  );
  return {
    name,
    usesWeight,
    usesLoad,
    needsWholeList,
    connects,
    options,
    latency: definition.latency?.(options),
    createPicker: (pool, context, previous) =>
      definition.createPicker(pool, options, context, previous),
  };
}

/**
 * The picker of a policy for the endpoints that the modifiers left.
 *
 * @param previous the picker that the new picker replaces
 * @returns `undefined` if the modifiers left no endpoint
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
  const stable = policy.createPicker(pools.stable, context, before);
  if (canary === undefined || pools.canary === undefined) return stable;
  return new CanaryPicker(
    stable,
    policy.createPicker(pools.canary, context, canaryBefore),
    canary,
    context.random,
  );
}
