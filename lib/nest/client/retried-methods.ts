/** Checks the names in `retry.methods` against the protos of clients: one that is misspelt would keep a method without retries. */
import {
  describeMethods,
  isNameOf,
  meantMethod,
  unmatchedNames,
} from '../../grpc/service-config/method-names.js';
import type { CatalogedMethod } from '../../grpc/service-config/method-catalog.js';
import type { ClientDefaults, ClientDefinition } from '../options/discovery-options.js';
import { rejectOption } from '../options/option-reader.js';

/** The names that a definition's own `retry` has to find; those of the defaults need only one client that has them. */
export class RetriedMethods {
  /** Names of the defaults that no client has had so far. */
  private readonly open: Set<string>;
  private hasHeirs = false;

  constructor(defaults: ClientDefaults) {
    this.open = new Set(namesOf(defaults.retry));
  }

  /** What is left to be found, once there are clients that go by the defaults. */
  get unmatched(): readonly string[] {
    return this.hasHeirs ? [...this.open] : [];
  }

  /** @throws DiscoveryError `INVALID_OPTION` where a name of the definition's own means no method */
  check(definition: ClientDefinition, methods: readonly CatalogedMethod[]): void {
    const [wrong] = unmatchedNames(namesOf(definition.retry), methods);
    if (wrong !== undefined) {
      const meant = meantMethod(wrong, methods);
      const hint = meant === undefined ? '' : `; did you mean ${meant}?`;
      rejectOption(
        `retry.methods of client "${definition.name}"`,
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
  const methods = retry === false ? undefined : retry?.methods;
  return methods === undefined || typeof methods === 'string' ? [] : methods;
}
