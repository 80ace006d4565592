import { expect, it } from 'vitest';
import { defaultKey } from '../../../lib/nest/worker-key.js';

it("the default key of a worker of node:cluster contains the worker's id; any other process gets none", () => {
  expect(defaultKey('10.0.0.1:50051', 4)).toBe('10.0.0.1:50051#4');
  expect(defaultKey('10.0.0.1:50051')).toBeUndefined();
});
