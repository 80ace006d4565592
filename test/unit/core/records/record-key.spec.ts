import { expect, it } from 'vitest';
import { recordKey, servicePrefix, workerKey } from '../../../../lib/core/records/record-key.js';

it('servicePrefix of one service does not match a service with a longer name', () => {
  expect(servicePrefix('', 'api')).toBe('api/');
  expect(recordKey('', 'api2', '10.0.0.1:1').startsWith(servicePrefix('', 'api'))).toBe(false);
  expect(recordKey('', 'api', '10.0.0.1:1').startsWith(servicePrefix('', 'api'))).toBe(true);
});

it('recordKey begins with the namespace, unchanged', () => {
  expect(recordKey('prod/', 'a/b', '[::1]:9')).toBe('prod/a/b/[::1]:9');
  expect(recordKey('prod-', 'api', '')).toBe('prod-api/');
});

it('workerKey gives each worker of one address its own key under the prefix of the service', () => {
  expect(recordKey('', 'api', workerKey('10.0.0.1:1', 3))).toBe('api/10.0.0.1:1#3');
});
