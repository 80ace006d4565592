/** Names of methods as users write them, in options and in published service configs. */
import type { MethodConfig } from '@grpc/grpc-js';
import { closestName } from '../../core/closest-name.js';
import { type CatalogedMethod, methodPath } from './method-catalog.js';

/** How many methods a text lists. */
const MOST_LISTED = 20;

/** Whether a name means a method: `Method`, `Service/Method` or `package.Service/Method`; Nest's `method` too. */
export function isNameOf(name: string, { service, method, callName }: CatalogedMethod): boolean {
  const [last = '', ...before] = name.split('/').toReversed();
  if (last !== method && last !== callName) return false;
  const shortService = service.split('.').at(-1);
  return (
    before.length === 0 || (before.length === 1 && [service, shortService].includes(before[0]))
  );
}

/** Those names that mean no method. */
export function unmatchedNames(
  names: readonly string[],
  methods: readonly CatalogedMethod[],
): string[] {
  return names.filter((name) => !methods.some((method) => isNameOf(name, method)));
}

/** What a name may be, for an error's text. */
export function describeMethods(methods: readonly CatalogedMethod[]): string {
  const all = methods.map((method) => methodPath(method).slice(1));
  const more = all.length > MOST_LISTED ? ` and ${all.length - MOST_LISTED} more` : '';
  return all.length === 0 ? 'none' : `${all.slice(0, MOST_LISTED).join(', ')}${more}`;
}

/** The spelling that was meant by a name that means no method. */
export function meantMethod(name: string, methods: readonly CatalogedMethod[]): string | undefined {
  const last = name.split('/').at(-1) ?? '';
  const known = methods.map(({ method }) => method);
  return closestName(last, known);
}

/**
 * Names in a service config that mean nothing to a client: a method that a service of its proto does not have, or a service whose
 * name is but for its package that of one. A service that is like none of the client's is that of another client.
 *
 * @returns what is wrong, and what was meant; `undefined`: nothing is
 */
export function unknownConfigNames(
  configs: readonly MethodConfig[],
  methods: readonly CatalogedMethod[],
): string | undefined {
  const services = [...new Set(methods.map(({ service }) => service))];
  const unknown = configs
    .flatMap(({ name }) => name)
    .flatMap(({ service, method }) => {
      if (service === undefined || service === '') return [];
      const own = methods.filter((one) => one.service === service);
      if (own.length === 0) {
        const meant = meantService(service, services);
        return meant === undefined
          ? []
          : [`service ${JSON.stringify(service)} (did you mean ${meant}?)`];
      }
      if (method === undefined || own.some((one) => one.method === method)) return [];
      const meant = meantMethod(method, own);
      const hint = meant === undefined ? '' : ` (did you mean ${meant}?)`;
      return [`method ${JSON.stringify(`${service}/${method}`)}${hint}`];
    });
  return unknown.length === 0 ? undefined : unknown.join(', ');
}

function meantService(given: string, services: readonly string[]): string | undefined {
  const short = given.split('.').at(-1);
  return (
    services.find((service) => service.split('.').at(-1) === short) ?? closestName(given, services)
  );
}
