/**
 * Checks the names in `retry.methods` against the protos of clients: a misspelt name would leave a method
 * without retries.
 */
import {
  describeMethods,
  isNameOf,
  meantMethod,
  unmatchedNames,
} from '../../grpc/service-config/method-names.js';
import type { CatalogedMethod } from '../../grpc/service-config/method-catalog.js';
import type { ClientDefaults, ClientDefinition } from '../options/discovery-options.js';
import { optionReader } from '../options/option-reader.js';
import { clientPlace } from '../options/option-value.js';

/**
 * Checks the `retry.methods` of all clients: a name in a client's own `retry` must match a method of that
 * client's proto; a name in `clientDefaults` must match a method of at least one client.
 */
export class RetriedMethods {
  /** Names in `clientDefaults.retry.methods` that match no method of any client so far. */
  private readonly open: Set<string>;
  private hasHeirs = false;

  constructor(defaults: ClientDefaults) {
    this.open = new Set(namesOf(defaults.retry));
  }

  /**
   * Names in `clientDefaults.retry.methods` that match no method; empty while no client uses the defaults.
   */
  get unmatched(): readonly string[] {
    return this.hasHeirs ? [...this.open] : [];
  }

  /** @throws DiscoveryError `INVALID_OPTION` if a name in the definition's own `retry` matches no method */
  check(definition: ClientDefinition, methods: readonly CatalogedMethod[]): void {
    const [wrong] = unmatchedNames(namesOf(definition.retry), methods);
    if (wrong !== undefined) {
      const meant = meantMethod(wrong, methods);
      const hint = meant === undefined ? '' : `; did you mean ${meant}?`;
      optionReader.reject(
        `${clientPlace(definition)}.retry.methods`,
        wrong,
        `methods of its proto, with or without their service: ${describeMethods(methods)}${hint}`,
      );
    }
    if (definition.retry !== undefined) return;
    this.hasHeirs = true;
    for (const name of this.open) {
      if (methods.some((method) => isNameOf(name, method))) this.open.delete(name);
    }
  }
}

function namesOf(retry: ClientDefaults['retry']): readonly string[] {
  const methods = typeof retry === 'object' ? retry.methods : undefined;
  return typeof methods === 'object' ? methods : [];
}
