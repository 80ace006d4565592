/** What a load balancing policy is: one definition says all that validation, service config, connections and picks need to know. */
import type { Random } from '../core/clock.js';
import { numberWithin, type ValueRule, wholeNumber } from '../core/values/value-rule.js';
import type { Candidate } from './candidate.js';
import type { FleetLoad } from './load/fleet-load.js';
import type { PeakEwmaOptions } from './load/peak-ewma.js';
import type { Picker } from './picker.js';
import type { Pool } from './pool.js';

/** What pickers take from their balancer. */
export interface PickerContext {
  readonly random: Random;
  /** The sums over all endpoints of the balancer. */
  readonly fleet: FleetLoad;
}

/**
 * Makes the picker of a configured policy, or of one that a user registered; called anew whenever endpoints or
 * weights change.
 */
export type PickerFactory = <C extends Candidate>(
  pool: Pool<C>,
  context: PickerContext,
  previous: Picker<C> | undefined,
) => Picker<C>;

/** What the balancer has to know of a policy before it picks. */
export interface PolicyFacts {
  /** Its name in options and in a service config. */
  readonly name: string;
  /** Whether it picks by the weights in the records; otherwise all endpoints weigh 1 before the modifiers. */
  readonly usesWeight: boolean;
  /** Whether it picks by the load of the endpoints: the balancer then measures each call. */
  readonly usesLoad: boolean;
  /** Whether it needs the whole list before its first pick; otherwise it may begin on the first page of a long list. */
  readonly needsWholeList: boolean;
  /** To which endpoints the balancer connects: to `all`, or to the `first` that answers. */
  readonly connects: 'all' | 'first';
}

/** An option with a number as its value, both bounds included. */
export interface NumberOption {
  readonly kind: 'number' | 'integer';
  readonly minimum: number;
  readonly maximum: number;
  /** The maximum in a service config, where `maximum` is `Infinity`, which JSON does not have. */
  readonly publishedMaximum?: number;
  readonly default: number;
}

/**
 * The option `hashKey`, which a policy that has it needs. A client gives a metadata key or a function of the request message, a
 * service config gives a metadata key; the picker gets a function of the `PickRequest`.
 */
export interface HashKeyOption {
  readonly kind: 'hashKey';
  readonly default?: never;
}

/** Which values an option allows. */
export function numberRule({ kind, minimum, maximum }: NumberOption): ValueRule<number> {
  return (kind === 'integer' ? wholeNumber : numberWithin)(minimum, maximum);
}

/** The type, the bounds and the default of an option. */
export type PolicyOption = NumberOption | HashKeyOption;

/**
 * A policy. `lib/balance/policies` has one file for each, `policy-table.ts` has one line for each.
 *
 * @typeParam Options what the picker gets: a value for each option, as given or by default
 */
export interface PolicyDefinition<Options extends object = object> extends PolicyFacts {
  /** Its own options, by their names in `loadBalancing` and in a service config. */
  readonly options: Readonly<Record<string, PolicyOption>> & {
    readonly [Name in keyof Options]-?: PolicyOption;
  };
  /** How the latency of an endpoint is estimated under this policy. Default: by {@link PeakEwmaOptions}' defaults. */
  latency?(options: Options): PeakEwmaOptions;
  /**
   * Makes a picker. The balancer calls it for each change of the endpoints or their weights.
   *
   * @param pool the endpoints that may be called, and their weights
   * @param options a value for each option
   * @param context the randomness to use, and the sums over all endpoints
   * @param previous the picker that this one replaces: a rotation goes on where that one stood
   */
  createPicker<C extends Candidate>(
    pool: Pool<C>,
    options: Options,
    context: PickerContext,
    previous: Picker<C> | undefined,
  ): Picker<C>;
}
