/**
 * Recognises records of other frameworks under our prefix by their fields, so that the operator learns which
 * framework wrote them. Clients do not dial them, because their fields have other meanings.
 */
import { parseAddress } from '../address.js';
import type { IgnoredKind, IgnoredRecord } from './ignored-records.js';
import { printableBeginning } from '../printable-text.js';

type Fields = Readonly<Record<string, unknown>>;

/** How to recognise the JSON of each framework, and which field has the address of the server. */
const FORMATS: readonly {
  readonly kind: IgnoredKind;
  readonly place: string;
  readonly fits: (fields: Fields) => boolean;
}[] = [
  // Kratos, ServiceInstance: {"id","name","version","metadata","endpoints":["grpc://…"]}
  { kind: 'kratos', place: 'endpoints', fits: ({ endpoints }) => Array.isArray(endpoints) },
  // Kitex, instanceInfo: {"network","address","weight","tags"}
  { kind: 'kitex', place: 'address', fits: (fields) => isText(fields, 'network', 'address') },
  // go-micro, Service: {"name","version","nodes":[{"id","address"}]}
  { kind: 'go-micro', place: 'nodes', fits: ({ nodes }) => Array.isArray(nodes) },
  // Consul has two forms: a registration with the agent, and an entry of the catalog.
  {
    kind: 'consul',
    place: 'Address',
    fits: (fields) => isText(fields, 'Address') && typeof fields['Port'] === 'number',
  },
  {
    kind: 'consul',
    place: 'ServiceAddress',
    fits: (fields) => typeof fields['ServicePort'] === 'number',
  },
];

/**
 * The framework that wrote a value, and the value's address field; `undefined` if none is recognised.
 * Precondition: the value is not a record of ours.
 */
export function foreignRecord(text: string): IgnoredRecord | undefined {
  // go-zero writes the address alone, without JSON.
  if (parseAddress(text.trim()) !== undefined) {
    return { kind: 'go-zero', reason: `the value is "${printableBeginning(text.trim(), 100)}"` };
  }
  const fields = parseObject(text);
  if (fields === undefined) return undefined;
  const format = FORMATS.find(({ fits }) => fits(fields));
  if (format === undefined) return undefined;
  const { kind, place } = format;
  const shown = printableBeginning(describe(fields[place]), 100);
  return { kind, reason: `its ${place} is ${shown}` };
}

/** How many elements of a list are shown at most, in the reason why a record is ignored. */
const MOST_SHOWN = 5;

/**
 * A value of another program as text, two levels deep at most: the value may be nested deeper than the call
 * stack allows.
 */
function describe(value: unknown): string {
  if (!Array.isArray(value)) return describeShallow(value);
  const shown = value.slice(0, MOST_SHOWN).map((element: unknown) => {
    const isObject = typeof element === 'object' && element !== null;
    return describeShallow(isObject ? (Reflect.get(element, 'address') ?? element) : element);
  });
  return `[${shown.join()}${value.length > MOST_SHOWN ? ',…' : ''}]`;
}

function describeShallow(value: unknown): string {
  if (value === undefined) return 'missing';
  if (value === null || typeof value !== 'object') return JSON.stringify(value);
  return Array.isArray(value) ? 'a list' : 'an object';
}

function parseObject(text: string): Fields | undefined {
  try {
    const root: unknown = JSON.parse(text);
    const isObject = typeof root === 'object' && root !== null && !Array.isArray(root);
    return isObject ? (root as Fields) : undefined;
  } catch {
    return undefined;
  }
}

function isText(fields: Fields, ...names: readonly string[]): boolean {
  return names.every((name) => typeof fields[name] === 'string' && fields[name] !== '');
}
