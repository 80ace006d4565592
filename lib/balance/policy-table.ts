/** The table of policies: the built-in policies, and the policies that a user registers. */
import { consistentHash } from './policies/consistent-hash.js';
import { pickFirst } from './policies/first-choice.js';
import { leastRequest } from './policies/least-request.js';
import { peakEwma } from './policies/peak-ewma-load.js';
import { randomChoice } from './policies/random-choice.js';
import { roundRobin, weightedRoundRobin } from './policies/rotation.js';
import type { PolicyDefinition } from './policy-definition.js';

/** The built-in policies, in the order in which errors name them. */
export const BUILT_IN_POLICIES = [
  roundRobin,
  weightedRoundRobin,
  leastRequest,
  peakEwma,
  consistentHash,
  randomChoice,
  pickFirst,
] as const;

/** Policies by name. All code that takes a policy's name or options reads one such table. */
export class PolicyTable {
  private readonly definitions = new Map<string, PolicyDefinition>();

  constructor(definitions: readonly PolicyDefinition[] = BUILT_IN_POLICIES) {
    for (const definition of definitions) this.add(definition);
  }

  /** Adds a policy, or replaces the policy that has the same name. */
  add(definition: PolicyDefinition): void {
    this.definitions.set(definition.name, definition);
  }

  /** The names of all policies. */
  get names(): readonly string[] {
    return [...this.definitions.keys()];
  }

  /** The names of the options of all policies, each once. */
  get optionNames(): readonly string[] {
    return [...new Set([...this.definitions.values()].flatMap((one) => Object.keys(one.options)))];
  }

  find(name: string): PolicyDefinition | undefined {
    return this.definitions.get(name);
  }

  /** The names of the policies that have a certain option. */
  ownersOf(option: string): readonly string[] {
    return this.names.filter((name) => Object.hasOwn(this.find(name)?.options ?? {}, option));
  }
}

/** The options of a policy that have no default: a client that uses the policy must set them. */
export function neededOptions({ options }: PolicyDefinition): readonly string[] {
  return Object.keys(options).filter((name) => options[name]?.default === undefined);
}
