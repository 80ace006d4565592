import { describe, expect, it } from 'vitest';
import { RetriedMethods } from '../../../../lib/nest/client/retried-methods.js';
import type { ClientDefaults } from '../../../../lib/nest/options/discovery-options.js';

const CLIENT = { name: 'api', package: 'user', protoPath: 'user.proto' };

/** The methods of a proto, which are all of the service `user.User`. */
const methods = (...names: readonly string[]) =>
  names.map((method) => ({
    service: 'user.User',
    method,
    callName: method.toLowerCase(),
    isStreaming: false,
    isIdempotent: false,
  }));

const defaultsWith = (...names: readonly string[]): ClientDefaults => ({
  retry: { methods: [...names] },
});

describe("a name in a client's own retry.methods", () => {
  it.each([['Login'], ['login'], ['User/Login'], ['user.User/Login']])(
    'is accepted if it means a method of the proto: %s',
    (name) => {
      const checked = new RetriedMethods({});
      const client = { ...CLIENT, retry: { methods: [name] } };
      expect(() => checked.check(client, methods('Find', 'Login'))).not.toThrow();
    },
  );

  it.each([
    ['Logon', '"Logon"', '; did you mean Login?'],
    ['Vanish', '"Vanish"', 'user.User/Login'],
  ])('is rejected if it means no method of the proto: %s', (name, shown, end) => {
    const client = { ...CLIENT, retry: { methods: ['Login', name] } };
    const act = (): void => new RetriedMethods({}).check(client, methods('Login'));
    expect(act).toThrow(
      `[INVALID_OPTION] option client "api".retry.methods is ${shown}; allowed: methods of its proto, with or without their service: user.User/Login`,
    );
    expect(act).toThrow(new RegExp(`${end.replaceAll('?', String.raw`\?`)}$`));
  });

  it.each([[undefined], [false], [{}], [{ methods: 'all' }], [{ methods: 'idempotent' }]] as const)(
    'does not exist if the option retry is %j, and then nothing is rejected',
    (retry) => {
      const client = retry === undefined ? CLIENT : { ...CLIENT, retry };
      expect(() => new RetriedMethods({}).check(client, [])).not.toThrow();
    },
  );
});

describe('a name in clientDefaults.retry.methods', () => {
  it('is unmatched until a client without a retry of its own has such a method', () => {
    const checked = new RetriedMethods(defaultsWith('Login', 'find', 'Vanish'));
    checked.check(CLIENT, methods('Watch', 'Login', 'Delete'));
    expect(checked.unmatched).toEqual(['find', 'Vanish']);
    checked.check(CLIENT, methods('Find', 'Watch'));
    expect(checked.unmatched).toEqual(['Vanish']);
  });

  it('is not matched by a client with a retry of its own, which the defaults do not apply to', () => {
    const checked = new RetriedMethods(defaultsWith('Login', 'Find'));
    checked.check({ ...CLIENT, retry: false }, methods('Login'));
    checked.check(CLIENT, methods('Find'));
    expect(checked.unmatched).toEqual(['Login']);
  });

  it('does not count as unmatched while no client uses the defaults', () => {
    const checked = new RetriedMethods(defaultsWith('Login'));
    expect(checked.unmatched).toEqual([]);
    checked.check({ ...CLIENT, retry: {} }, methods('Find'));
    expect(checked.unmatched).toEqual([]);
  });
});
