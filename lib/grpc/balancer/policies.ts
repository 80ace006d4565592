/** The load balancing policies a client can ask for, by name or with options, and what each means to the balancer. */
import type { LocalityOptions } from '../../balance/modifiers/locality-split.js';
import type { OutlierOptions } from '../../balance/modifiers/outlier-detection.js';
import type { PeakEwmaOptions } from '../../balance/load/peak-ewma.js';
import type { PickRequest } from '../../balance/picker.js';
import type { PickerFactory, Policy } from '../../balance/policy.js';
import type { RoutingOptions } from '../../balance/modifiers/routing.js';
import type { SlowStartOptions } from '../../balance/modifiers/slow-start.js';
import { DiscoveryError } from '../../core/discovery-error.js';
import type { BalancerSettings } from './balancer-config.js';
import { DEFAULT_RAMP } from '../connection/connection-ramp.js';
import { HASH_KEY_HEADER, type HashKeyFunction } from '../interceptors/hash-key.js';

/** Names of the built-in policies. */
export const LOAD_BALANCING_POLICIES = [
  'round_robin',
  'weighted_round_robin',
  'least_request',
  'peak_ewma',
  'consistent_hash',
  'random',
  'pick_first',
] as const;

/**
 * - `round_robin`: exact rotation over all live endpoints.
 * - `weighted_round_robin`: smooth rotation in proportion to the weights in the records.
 * - `least_request`: the less busy of two endpoints drawn at random; open streams count.
 * - `peak_ewma`: as `least_request`, by expected latency times calls in flight: leaves slow and failing servers alone.
 * - `consistent_hash`: calls with one key go to one endpoint, with bounded load.
 * - `random`: any endpoint.
 * - `pick_first`: all calls to one endpoint while it lives.
 */
export type LoadBalancingPolicy = (typeof LOAD_BALANCING_POLICIES)[number];

/** The policy of a client that does not say. */
export const DEFAULT_LOAD_BALANCING: LoadBalancingPolicy = 'round_robin';

/** A policy with options, and what modifies it. Every modifier goes with every policy. */
export interface LoadBalancingOptions extends PeakEwmaOptions {
  /** A built-in policy, or one that was given to `registerLoadBalancingPolicy`. Default `round_robin`. */
  readonly policy?: LoadBalancingPolicy | (string & {});
  /**
   * `consistent_hash`, which needs it: the metadata key whose value is the key of a call (`a-z`, `0-9`, `_`, `-` and `.`, neither
   * `grpc-…` nor `…-bin`), or a function of the request message. Calls without a key may go anywhere. A function is applied to calls with one request message only.
   */
  readonly hashKey?: string | HashKeyFunction;
  /** `consistent_hash`: how many times the mean load one endpoint may have, above 1. Default 1.25. */
  readonly loadFactor?: number;
  /** `consistent_hash`: calls in flight an endpoint may always have, 0 or more. Default 4. */
  readonly freeInFlight?: number;
  /** Own zone first. `zone` is the client's option of that name unless given here. */
  readonly locality?: LocalityOptions;
  /** Endpoints that have just joined get less at first. Not under `consistent_hash`. */
  readonly slowStart?: SlowStartOptions;
  /** Leave endpoints out that fail more than the others; `true`: with defaults. Default: nobody is left out. */
  readonly outlierDetection?: boolean | OutlierOptions;
  /** Which endpoints may be called, and canaries among them. */
  readonly routing?: RoutingOptions;
  /** Ask `grpc.health.v1` on every connection: `true` for the server as a whole, or a service's name. Default: do not ask. */
  readonly healthCheck?: boolean | string;
}

/** What the balancer has to know besides the options. */
export interface ClientTraits {
  /** Stable while the client runs, and another one's own. */
  readonly clientId: string;
  readonly subsetSize: number | undefined;
  readonly zone: string | undefined;
}

/** How long a connection may take until HTTP/2 answers, in milliseconds. */
const CONNECT_TIMEOUT_MS = 5_000;

const customPolicies = new Map<string, PickerFactory>();

/**
 * Makes a policy of one's own known under a name, for `loadBalancing`. A name that is known already is replaced, for
 * channels made from then on.
 *
 * @param name not a built-in one's
 * @param createPicker makes a picker over a pool of endpoints; called anew whenever endpoints or weights change
 * @throws DiscoveryError `INVALID_OPTION`
 */
export function registerLoadBalancingPolicy(name: string, createPicker: PickerFactory): void {
  if (name === '' || isBuiltIn(name)) {
    throw new DiscoveryError(
      'INVALID_OPTION',
      `load balancing policy "${name}" cannot be registered; allowed: a non-empty name other than ${LOAD_BALANCING_POLICIES.join(', ')}`,
    );
  }
  customPolicies.set(name, createPicker);
}

/** Names that `loadBalancing` can have now. */
export function knownPolicies(): readonly string[] {
  return [...LOAD_BALANCING_POLICIES, ...customPolicies.keys()];
}

/** What the balancer is to do for checked options. */
export function createBalancerSettings(
  options: LoadBalancingOptions,
  traits: ClientTraits,
): BalancerSettings {
  const { routing, slowStart, outlierDetection, healthCheck } = options;
  const locality =
    options.locality ?? (traits.zone === undefined ? undefined : { zone: traits.zone });
  return {
    policy: createPolicy(options),
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

/** Policies without options. */
const PLAIN_POLICIES = [
  'pick_first',
  'round_robin',
  'weighted_round_robin',
  'random',
  'least_request',
] as const;

function createPolicy(options: LoadBalancingOptions): Policy {
  const name = options.policy ?? DEFAULT_LOAD_BALANCING;
  const { decayMs, failurePenalty, loadFactor, freeInFlight, hashKey } = options;
  if (name === 'peak_ewma') {
    return {
      name: 'peak_ewma',
      ...(decayMs === undefined ? {} : { decayMs }),
      ...(failurePenalty === undefined ? {} : { failurePenalty }),
    };
  }
  if (name === 'consistent_hash') {
    const header = typeof hashKey === 'string' ? hashKey : HASH_KEY_HEADER;
    return {
      name: 'consistent_hash',
      keyOf: (request: PickRequest) => request.header(header),
      ...(loadFactor === undefined ? {} : { loadFactor }),
      ...(freeInFlight === undefined ? {} : { freeInFlight }),
    };
  }
  const plain = PLAIN_POLICIES.find((policy) => policy === name);
  if (plain !== undefined) return { name: plain };
  const createPicker = customPolicies.get(name);
  if (createPicker !== undefined) return { name: 'custom', createPicker };
  throw new DiscoveryError(
    'INVALID_OPTION',
    `option loadBalancing.policy is ${JSON.stringify(name)}; allowed: ${knownPolicies().join(', ')}`,
  );
}

function isBuiltIn(name: string): boolean {
  return LOAD_BALANCING_POLICIES.some((policy) => policy === name);
}
