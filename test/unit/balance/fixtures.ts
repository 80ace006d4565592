import type { JsonValue } from '../../../lib/core/records/endpoint.js';
import {
  composePools,
  type PipelineInput,
  type PipelineOptions,
  type PipelineResult,
} from '../../../lib/balance/candidate-pipeline.js';
import {
  type Candidate,
  type EndpointFacts,
  ReadEndpointFacts,
} from '../../../lib/balance/candidate.js';
import { EndpointLoad } from '../../../lib/balance/load/endpoint-load.js';
import { FleetLoad } from '../../../lib/balance/load/fleet-load.js';
import type { PeakEwmaOptions } from '../../../lib/balance/load/peak-ewma.js';
import type { Picker, PickRequest } from '../../../lib/balance/picker.js';
import { configurePolicy, type Policy } from '../../../lib/balance/policy.js';
import { type BUILT_IN_POLICIES, PolicyTable } from '../../../lib/balance/policy-table.js';
import type { Pool } from '../../../lib/balance/pool.js';

/** A call without metadata. */
export const PLAIN: PickRequest = { header: () => undefined };

/** A call with metadata. */
export function requestWith(headers: Readonly<Record<string, string>>): PickRequest {
  return { header: (name) => headers[name] };
}

/** A candidate with this address, and with this metadata in its record. */
export function candidate(
  address: string,
  metadata: Readonly<Record<string, JsonValue>> = {},
  fleet: FleetLoad = new FleetLoad(),
  joinedMs = 0,
  options?: PeakEwmaOptions,
): Candidate & EndpointFacts {
  const facts = new ReadEndpointFacts({ address, metadata });
  const { endpoint, weight, zone, version, hash } = facts;
  return {
    endpoint,
    weight,
    zone,
    version,
    hash,
    seededHash: (seed) => facts.seededHash(seed),
    joinedMs,
    load: new EndpointLoad(fleet, options),
  };
}

/** `count` candidates of one fleet, at `10.0.0.1:1` and so on. */
export function candidates(
  count: number,
  fleet: FleetLoad = new FleetLoad(),
): (Candidate & EndpointFacts)[] {
  return Array.from({ length: count }, (_, at) => candidate(`10.0.0.1:${at + 1}`, {}, fleet));
}

/** A pool of the candidates with the given weights, or with equal weights. */
export function poolOf(list: readonly Candidate[], weights?: readonly number[]): Pool<Candidate> {
  return { candidates: list, weights: Float64Array.from(weights ?? list.map(() => 1)) };
}

/** A built-in policy with these options, and the default of every other option. */
export function policyOf(
  name: (typeof BUILT_IN_POLICIES)[number]['name'],
  options: Readonly<Record<string, unknown>> = {},
): Policy {
  return configurePolicy(new PolicyTable().find(name)!, options);
}

/** How often each address is picked. */
export function countPicks(
  picker: Picker<Candidate>,
  picks: number,
  request: (pick: number) => PickRequest = () => PLAIN,
): Map<string, number> {
  const counts = new Map<string, number>();
  for (let pick = 0; pick < picks; pick++) {
    const { address } = picker.pick(request(pick), 0).endpoint;
    counts.set(address, (counts.get(address) ?? 0) + 1);
  }
  return counts;
}

/**
 * The pools of candidates. Unless `input` says otherwise, all candidates are ready and weigh what their
 * records say.
 */
export function compose(
  list: readonly Candidate[],
  options: PipelineOptions = {},
  input: Partial<PipelineInput<Candidate>> = {},
  nowMs = 0,
): PipelineResult<Candidate> {
  const defaults = {
    isReady: () => true,
    isMissing: () => false,
    isEjected: () => false,
    isWeighted: true,
  };
  return composePools({ candidates: list, ...defaults, ...input }, options, nowMs);
}
