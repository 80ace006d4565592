import { Metadata } from '@grpc/grpc-js';
import { expect, it } from 'vitest';
import { setWaitForReady } from '../../../lib/grpc/wait-for-ready.js';

it('a call that does not choose waits, and keeps its other options', () => {
  const metadata = new Metadata({ idempotentRequest: true });
  setWaitForReady(metadata);
  expect(metadata.getOptions()).toEqual({ idempotentRequest: true, waitForReady: true });
});

it('a call that chose is left as it is', () => {
  const metadata = new Metadata({ waitForReady: false });
  setWaitForReady(metadata);
  expect(metadata.getOptions()).toEqual({ waitForReady: false });
});
