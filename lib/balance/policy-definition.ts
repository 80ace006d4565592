/** The definition of a load balancing policy: validation, service config, connections and picks read it. */
import type { Random } from '../core/clock.js';
import { numberWithin, type ValueRule, wholeNumber } from '../core/values/value-rule.js';
import type { Candidate } from './candidate.js';
import type { FleetLoad } from './load/fleet-load.js';
import type { PeakEwmaOptions } from './load/peak-ewma.js';
import type { Picker } from './picker.js';
import type { Pool } from './pool.js';

/** What a picker gets from its balancer. */
export interface PickerContext {
  readonly random: Random;
  /** The sums over all endpoints of the balancer. */
  readonly fleet: FleetLoad;
}

/**
 * Makes the picker of a configured policy, or of a policy that a user registered. The balancer calls it
 * whenever endpoints or weights change.
 */
export type PickerFactory = <C extends Candidate>(
  pool: Pool<C>,
  context: PickerContext,
  previous: Picker<C> | undefined,
) => Picker<C>;

/** What the balancer needs to know about a policy before it picks. */
export interface PolicyFacts {
  /** The name of the policy in options and in a service config. */
  readonly name: string;
  /**
   * Whether the policy picks by the weights in the records; otherwise each candidate weighs 1 before the
   * modifiers.
   */
  readonly usesWeight: boolean;
  /** Whether the policy picks by the load of the endpoints: the balancer then measures each call. */
  readonly usesLoad: boolean;
  /** Whether the policy needs the whole list before its first pick, not just the first page of it. */
  readonly needsWholeList: boolean;
  /** To which endpoints the balancer connects: to `all`, or to the `first` that answers. */
  readonly connects: 'all' | 'first';
}

/** An option of a policy whose value is a number; both bounds are allowed. */
interface NumberOption {
  readonly kind: 'number' | 'integer';
  readonly minimum: number;
  readonly maximum: number;
  /** The maximum in a service config, if `maximum` is `Infinity`, which JSON does not have. */
  readonly publishedMaximum?: number;
  readonly default: number;
}

/**
 * The option `hashKey`, which has no default: a client of a policy with this option must set it. A client
 * gives a metadata key or a function of the request message, a service config gives a metadata key; the
 * picker gets a function of the `PickRequest`.
 */
export interface HashKeyOption {
  readonly kind: 'hashKey';
  readonly default?: never;
}

/** The rule for the values that an option allows. */
export function numberRule({ kind, minimum, maximum }: NumberOption): ValueRule<number> {
  return (kind === 'integer' ? wholeNumber : numberWithin)(minimum, maximum);
}

/** The type, the bounds and the default of an option of a policy. */
export type PolicyOption = NumberOption | HashKeyOption;

/**
 * A load balancing policy. `lib/balance/policies` has one file for each, `policy-table.ts` has one line for
 * each.
 *
 * @typeParam Options what the picker gets: a value for each option, as given or by default
 */
export interface PolicyDefinition<Options extends object = object> extends PolicyFacts {
  /** The policy's own options, by their names in `loadBalancing` and in a service config. */
  readonly options: Readonly<Record<string, PolicyOption>> & {
    readonly [Name in keyof Options]-?: PolicyOption;
  };
  /**
   * How an endpoint's latency is estimated under this policy. Default: the defaults of {@link
   * PeakEwmaOptions}.
   */
  latency?(options: Options): PeakEwmaOptions;
  /**
   * Makes a picker. The balancer calls it for each change of the endpoints or their weights.
   *
   * @param pool the endpoints that may be called, and their weights
   * @param options a value for each option
   * @param context the source of randomness, and the sums over all endpoints
   * @param previous the picker that the new picker replaces: a rotation goes on where `previous` stood
   */
  createPicker<C extends Candidate>(
    pool: Pool<C>,
    options: Options,
    context: PickerContext,
    previous: Picker<C> | undefined,
  ): Picker<C>;
}
