/**
 * The load balancing policies a client can ask for, by name or with options, and what each means to the
 * balancer.
 */
import type { LocalityOptions } from '../../balance/modifiers/locality-split.js';
import type { OutlierOptions } from '../../balance/modifiers/outlier-detection.js';
import type { PickRequest } from '../../balance/picker.js';
import { configurePolicy, type Policy } from '../../balance/policy.js';
import type {
  HashKeyOption,
  PickerFactory,
  PolicyDefinition,
} from '../../balance/policy-definition.js';
import { BUILT_IN_POLICIES, PolicyTable } from '../../balance/policy-table.js';
import type { RoutingOptions } from '../../balance/modifiers/routing.js';
import type { SlowStartOptions } from '../../balance/modifiers/slow-start.js';
import { argumentReader } from '../../core/values/value-reader.js';
import type { BalancerSettings } from './balancer-config.js';
import { DEFAULT_RAMP } from '../connection/ramp-plan.js';
import { HASH_KEY_HEADER, type HashKeyFunction } from '../interceptors/hash-key.js';

/**
 * - `round_robin`: exact rotation over all live endpoints.
 * - `weighted_round_robin`: smooth rotation in proportion to the weights in the records.
 * - `least_request`: the less busy of two endpoints drawn at random; open streams count.
 * - `peak_ewma`: of two endpoints drawn at random, the one with the smaller product of expected latency and
 *   calls in flight; it avoids slow and failing servers.
 * - `consistent_hash`: calls with one key go to one endpoint, with bounded load.
 * - `random`: an endpoint drawn at random for each call.
 * - `pick_first`: all calls to one endpoint while it lives.
 */
export type LoadBalancingPolicy = (typeof BUILT_IN_POLICIES)[number]['name'];

/** The policy of a client that names none. */
export const DEFAULT_LOAD_BALANCING: LoadBalancingPolicy = 'round_robin';

/** The options of a policy, in the form in which a client gives them. */
type GivenOptions<Definition extends PolicyDefinition> = {
  readonly [Name in keyof Definition['options']]?: Definition['options'][Name] extends HashKeyOption
    ? string | HashKeyFunction
    : number;
};

/** Turns a union `A | B` into `A & B`. */
type Both<Union> = (Union extends unknown ? (one: Union) => void : never) extends (
  all: infer All,
) => void
  ? All
  : never;

type OptionsOfEach<Definition> = Definition extends PolicyDefinition
  ? GivenOptions<Definition>
  : never;

/** The options of all built-in policies; each option is defined in the file of its policy. */
type PolicyOptions = Both<OptionsOfEach<(typeof BUILT_IN_POLICIES)[number]>>;

/** A policy with options, and what modifies it. Every modifier goes with every policy. */
export interface LoadBalancingOptions extends PolicyOptions {
  /** A built-in policy, or one that was given to `registerLoadBalancingPolicy`. Default `round_robin`. */
  readonly policy?: LoadBalancingPolicy | (string & {});
  /**
   * Prefer endpoints of the own zone. Default of the field `zone` in these options: the client's option
   * `zone`.
   */
  readonly locality?: LocalityOptions;
  /** Send fewer calls at first to endpoints that have just joined, under `consistent_hash` fewer keys. */
  readonly slowStart?: SlowStartOptions;
  /** Eject endpoints that fail more than the others; `true`: with default options. Default: no ejections. */
  readonly outlierDetection?: boolean | OutlierOptions;
  /** Which endpoints may be called, and which of them are canaries. */
  readonly routing?: RoutingOptions;
  /**
   * Ask `grpc.health.v1` on every connection: `true` for the server as a whole, or a service's name. Default:
   * no health check.
   */
  readonly healthCheck?: boolean | string;
}

/** What the balancer needs to know about a client besides its options. */
export interface ClientTraits {
  /** An id that is stable while the client runs, and different for each client. */
  readonly clientId: string;
  readonly subsetSize: number | undefined;
  readonly zone: string | undefined;
}

/** How long an attempt may take until the peer answers in HTTP/2, in milliseconds. */
const CONNECT_TIMEOUT_MS = 5_000;

/** The policies that this process knows. */
export const POLICIES = new PolicyTable();

/**
 * Registers a policy of the user's own under a name, for `loadBalancing`. A second policy of that name
 * replaces the first, for channels that are made from then on.
 *
 * @param name any name that no built-in policy has
 * @param createPicker makes a picker over a pool of endpoints; called anew whenever endpoints or weights
 *   change
 * @throws DiscoveryError `INVALID_OPTION`
 */
export function registerLoadBalancingPolicy(name: string, createPicker: PickerFactory): void {
  const builtIn: readonly string[] = BUILT_IN_POLICIES.map((policy) => policy.name);
  if (name === '' || builtIn.includes(name)) {
    const allowed = `a non-empty name other than ${builtIn.join(', ')}`;
    argumentReader.reject('load balancing policy name', name, allowed);
  }
  // The factory does not declare what it needs: it gets weights, measured calls and the whole list.
  POLICIES.add({
    name,
    usesWeight: true,
    usesLoad: true,
    needsWholeList: true,
    connects: 'all',
    options: {},
    createPicker: (pool, _options, context, previous) => createPicker(pool, context, previous),
  });
}

/**
 * The balancer's settings for options that were checked.
 *
 * @throws DiscoveryError `INVALID_OPTION` for a policy that is not in the table
 */
export function createBalancerSettings(
  options: LoadBalancingOptions,
  traits: ClientTraits,
  policies: PolicyTable = POLICIES,
): BalancerSettings {
  const { routing, slowStart, outlierDetection, healthCheck } = options;
  const locality =
    options.locality ?? (traits.zone === undefined ? undefined : { zone: traits.zone });
  return {
    policy: createPolicy(options, policies),
    pipeline: {
      ...(routing === undefined ? {} : { routing }),
      ...(locality === undefined ? {} : { locality }),
      ...(slowStart === undefined ? {} : { slowStart }),
    },
    outliers:
      outlierDetection === undefined || outlierDetection === false
        ? undefined
        : outlierDetection === true
          ? {}
          : outlierDetection,
    subset:
      traits.subsetSize === undefined
        ? undefined
        : {
            size: traits.subsetSize,
            clientId: traits.clientId,
            ...(locality === undefined ? {} : { zone: locality.zone }),
          },
    healthService:
      healthCheck === undefined || healthCheck === false
        ? undefined
        : healthCheck === true
          ? ''
          : healthCheck,
    ramp: DEFAULT_RAMP,
    connectTimeoutMs: CONNECT_TIMEOUT_MS,
  };
}

function createPolicy(options: LoadBalancingOptions, policies: PolicyTable): Policy {
  const { policy: name = DEFAULT_LOAD_BALANCING, hashKey } = options;
  const definition = policies.find(name);
  if (definition === undefined) {
    return argumentReader.reject('option loadBalancing.policy', name, policies.names.join(', '));
  }
  // If `hashKey` is a function, the interceptor has put its result under this metadata key.
  const header = typeof hashKey === 'string' ? hashKey : HASH_KEY_HEADER;
  return configurePolicy(definition, {
    ...options,
    hashKey: (request: PickRequest) => request.header(header),
  });
}
