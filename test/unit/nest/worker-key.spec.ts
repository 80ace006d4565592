import { expect, it } from 'vitest';
import { defaultKey } from '../../../lib/nest/worker-key.js';

it('a worker of node:cluster has a key of its own, any other process the address', () => {
  expect(defaultKey('10.0.0.1:50051', 4)).toBe('10.0.0.1:50051#4');
  expect(defaultKey('10.0.0.1:50051')).toBeUndefined();
});
