/** The load balancing policies a client can ask for, by name or with options, and what each means to the balancer. */
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
import { DiscoveryError } from '../../core/discovery-error.js';
import type { BalancerSettings } from './balancer-config.js';
import { DEFAULT_RAMP } from '../connection/ramp-plan.js';
import { HASH_KEY_HEADER, type HashKeyFunction } from '../interceptors/hash-key.js';

/**
 * - `round_robin`: exact rotation over all live endpoints.
 * - `weighted_round_robin`: smooth rotation in proportion to the weights in the records.
 * - `least_request`: the less busy of two endpoints drawn at random; open streams count.
 * - `peak_ewma`: as `least_request`, by expected latency times calls in flight: leaves slow and failing servers alone.
 * - `consistent_hash`: calls with one key go to one endpoint, with bounded load.
 * - `random`: any endpoint.
 * - `pick_first`: all calls to one endpoint while it lives.
 */
export type LoadBalancingPolicy = (typeof BUILT_IN_POLICIES)[number]['name'];

/** The policy of a client that names none. */
export const DEFAULT_LOAD_BALANCING: LoadBalancingPolicy = 'round_robin';

/** What a client gives for each option of a policy. */
type GivenOptions<Definition extends PolicyDefinition> = {
  readonly [Name in keyof Definition['options']]?: Definition['options'][Name] extends HashKeyOption
    ? string | HashKeyFunction
    : number;
};

/** `A & B` of `A | B`. */
type Both<Union> = (Union extends unknown ? (one: Union) => void : never) extends (
  all: infer All,
) => void
  ? All
  : never;

type OptionsOfEach<Definition> = Definition extends PolicyDefinition
  ? GivenOptions<Definition>
  : never;

/** The options of all built-in policies, each of which stands in its policy's file. */
type PolicyOptions = Both<OptionsOfEach<(typeof BUILT_IN_POLICIES)[number]>>;

/** A policy with options, and what modifies it. Every modifier goes with every policy. */
export interface LoadBalancingOptions extends PolicyOptions {
  /** A built-in policy, or one that was given to `registerLoadBalancingPolicy`. Default `round_robin`. */
  readonly policy?: LoadBalancingPolicy | (string & {});
  /** Own zone first. `zone` is the client's option of that name unless given here. */
  readonly locality?: LocalityOptions;
  /** Endpoints that have just joined get fewer calls at first, under `consistent_hash` fewer keys. */
  readonly slowStart?: SlowStartOptions;
  /** Leave endpoints out that fail more than the others; `true`: with defaults. Default: all stay in. */
  readonly outlierDetection?: boolean | OutlierOptions;
  /** Which endpoints may be called, and canaries among them. */
  readonly routing?: RoutingOptions;
  /** Ask `grpc.health.v1` on every connection: `true` for the server as a whole, or a service's name. Default: do not ask. */
  readonly healthCheck?: boolean | string;
}

/** What the balancer has to know besides the options. */
export interface ClientTraits {
  /** Stable while the client runs, and different for each client. */
  readonly clientId: string;
  readonly subsetSize: number | undefined;
  readonly zone: string | undefined;
}

/** How long a connection may take until HTTP/2 answers, in milliseconds. */
const CONNECT_TIMEOUT_MS = 5_000;

/** The policies that this process knows. */
export const POLICIES = new PolicyTable();

/**
 * Registers a policy of the user's own under a name, for `loadBalancing`. A second policy of that name replaces the first, for channels
 * that are made from then on.
 *
 * @param name any but a built-in policy's
 * @param createPicker makes a picker over a pool of endpoints; called anew whenever endpoints or weights change
 * @throws DiscoveryError `INVALID_OPTION`
 */
export function registerLoadBalancingPolicy(name: string, createPicker: PickerFactory): void {
  const builtIn: readonly string[] = BUILT_IN_POLICIES.map((policy) => policy.name);
  if (name === '' || builtIn.includes(name)) {
    throw new DiscoveryError(
      'INVALID_OPTION',
      `load balancing policy "${name}" cannot be registered; allowed: a non-empty name other than ${builtIn.join(', ')}`,
    );
  }
  // The factory does not say what it needs: it gets weights, measured calls and the whole list.
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
 * What the balancer does for checked options.
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
    throw new DiscoveryError(
      'INVALID_OPTION',
      `option loadBalancing.policy is ${JSON.stringify(name)}; allowed: ${policies.names.join(', ')}`,
    );
  }
  // The interceptor leaves what a function returned under a metadata key of its own.
  const header = typeof hashKey === 'string' ? hashKey : HASH_KEY_HEADER;
  return configurePolicy(definition, {
    ...options,
    hashKey: (request: PickRequest) => request.header(header),
  });
}
