import { createRequire } from 'node:module';
import { expect, it } from 'vitest';
import { packageLocation } from '../../../lib/core/package-location.js';

it('the location of the package is a file from which its dependencies resolve', () => {
  const location = packageLocation('/nowhere');
  expect(location).toMatch(/package-location/);
  expect(createRequire(location).resolve('etcd3')).toContain('etcd3');
});
