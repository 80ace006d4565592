import { expect, it } from 'vitest';
import { recordKey, servicePrefix, workerKey } from '../../../../lib/core/records/record-key.js';

it('the prefix of one service is no prefix of another whose name only begins alike', () => {
  expect(servicePrefix('', 'api')).toBe('api/');
  expect(recordKey('', 'api2', '10.0.0.1:1').startsWith(servicePrefix('', 'api'))).toBe(false);
  expect(recordKey('', 'api', '10.0.0.1:1').startsWith(servicePrefix('', 'api'))).toBe(true);
});

it('a namespace stands before the service, verbatim', () => {
  expect(recordKey('prod/', 'a/b', '[::1]:9')).toBe('prod/a/b/[::1]:9');
  expect(recordKey('prod-', 'api', '')).toBe('prod-api/');
});

it('workers that share an address have keys of their own under the prefix of the service', () => {
  expect(recordKey('', 'api', workerKey('10.0.0.1:1', 3))).toBe('api/10.0.0.1:1#3');
});
