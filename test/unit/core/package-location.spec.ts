import { createRequire } from 'node:module';
import { expect, it } from 'vitest';
import { packageLocation } from '../../../lib/core/package-location.js';

it('packageLocation returns a file from which the dependencies of the package resolve', () => {
  const location = packageLocation('/nowhere');
  expect(location).toMatch(/package-location/);
  expect(createRequire(location).resolve('etcd3')).toContain('etcd3');
});
