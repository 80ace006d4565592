import { describe, expect, it } from 'vitest';
import type { CatalogedMethod } from '../../../../lib/grpc/service-config/method-catalog.js';
import {
  describeMethods,
  isNameOf,
  meantMethod,
  unknownConfigNames,
  unmatchedNames,
} from '../../../../lib/grpc/service-config/method-names.js';

const method = (service: string, name: string, callName: string): CatalogedMethod => ({
  service,
  method: name,
  callName,
  isStreaming: false,
  isIdempotent: false,
});
const FIND = method('user.User', 'FindOne', 'findOne');
const METHODS = [
  FIND,
  method('user.User', 'GetHTTPInfo', 'getHttpInfo'),
  method('Bare', 'Echo', 'echo'),
];

describe('a name of a method', () => {
  it.each([
    'FindOne',
    'findOne',
    'User/FindOne',
    'User/findOne',
    'user.User/FindOne',
    'user.User/findOne',
  ])('may be %s', (name) => {
    expect(isNameOf(name, FIND)).toBe(true);
  });

  it.each([
    'findone',
    'Find',
    '',
    '/',
    'Users/FindOne',
    'other.User/FindOne',
    '/user.User/FindOne',
  ])('cannot be %j', (name) => {
    expect(isNameOf(name, FIND)).toBe(false);
  });

  it('in Nest’s spelling must be the name that the proto loader made', () => {
    expect(unmatchedNames(['getHttpInfo', 'getHTTPInfo', 'Bare/echo'], METHODS)).toEqual([
      'getHTTPInfo',
    ]);
  });
});

it('describeMethods lists the first twenty methods, and the number of the others', () => {
  expect(describeMethods(METHODS)).toBe('user.User/FindOne, user.User/GetHTTPInfo, Bare/Echo');
  const many = Array.from({ length: 25 }, (_, at) => method('a.A', `M${at}`, `m${at}`));
  expect(describeMethods(many)).toMatch(/a\.A\/M19 and 5 more$/);
  expect(describeMethods(many.slice(0, 20))).toMatch(/, a\.A\/M19$/);
  expect(describeMethods([])).toBe('none');
});

it.each([
  ['FindOn', 'FindOne'],
  ['User/FindOn', 'FindOne'],
  ['Drop', undefined],
])('the method that the name %s most likely means is %s', (name, meant) => {
  expect(meantMethod(name, METHODS)).toBe(meant);
});

/** The unknown names of a service config that has one name. */
function names(service: string, name?: string): string | undefined {
  const entry = { service, ...(name === undefined ? {} : { method: name }) };
  return unknownConfigNames([{ name: [entry] }], METHODS);
}

describe('names in a published service config', () => {
  it('that mean every method of every service are not reported as unknown', () => {
    expect(unknownConfigNames([{ name: [{}] }], METHODS)).toBeUndefined();
  });

  it.each([
    ['user.User', 'FindOne'],
    ['user.User', undefined],
    ['', undefined],
    ['billing.Invoices', 'List'],
  ])('%s/%s are not reported as unknown', (service, name) => {
    expect(names(service, name)).toBeUndefined();
  });

  it.each([
    ['user.User', 'findOne', 'method "user.User/findOne" (did you mean FindOne?)'],
    ['user.User', 'Drop', 'method "user.User/Drop"'],
    ['User', 'FindOne', 'service "User" (did you mean user.User?)'],
    ['other.User', 'FindOne', 'service "other.User" (did you mean user.User?)'],
    ['user.Usr', undefined, 'service "user.Usr" (did you mean user.User?)'],
  ])('%s/%s are reported as unknown', (service, name, text) => {
    expect(names(service, name)).toBe(text);
  });
});
