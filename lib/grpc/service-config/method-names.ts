/** Names of methods as users write them, in options and in published service configs. */
import type { MethodConfig } from '@grpc/grpc-js';
import { closestName } from '../../core/closest-name.js';
import { type CatalogedMethod, methodPath } from './method-catalog.js';

/** How many methods an error text lists at most. */
const MOST_LISTED = 20;

/**
 * Whether a name that a user wrote means this method: `Method`, `Service/Method` or `package.Service/Method`,
 * also with Nest's spelling `method`.
 */
export function isNameOf(name: string, { service, method, callName }: CatalogedMethod): boolean {
  const [last = '', ...before] = name.split('/').toReversed();
  if (last !== method && last !== callName) return false;
  const shortService = service.split('.').at(-1);
  return (
    before.length === 0 || (before.length === 1 && [service, shortService].includes(before[0]))
  );
}

/** The names that mean no method. */
export function unmatchedNames(
  names: readonly string[],
  methods: readonly CatalogedMethod[],
): string[] {
  return names.filter((name) => !methods.some((method) => isNameOf(name, method)));
}

/** The list of methods for an error text. */
export function describeMethods(methods: readonly CatalogedMethod[]): string {
  const all = methods.map((method) => methodPath(method).slice(1));
  const more = all.length > MOST_LISTED ? ` and ${all.length - MOST_LISTED} more` : '';
  return all.length === 0 ? 'none' : `${all.slice(0, MOST_LISTED).join(', ')}${more}`;
}

/** The method that a misspelt name most likely means; `undefined`: no method is close to it. */
export function meantMethod(name: string, methods: readonly CatalogedMethod[]): string | undefined {
  const last = name.split('/').at(-1) ?? '';
  const known = methods.map(({ method }) => method);
  return closestName(last, known);
}

/**
 * Names in a service config that were most likely meant for this client and mean nothing to it: a method that
 * a service of its proto does not have, or a service that is misspelt or in the wrong package. A service that
 * resembles none of the client's is meant for another client.
 *
 * @returns the unknown names, each with a suggestion if there is one; `undefined`: no name is unknown
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
