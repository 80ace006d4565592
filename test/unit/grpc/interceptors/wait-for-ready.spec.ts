import { type Interceptor, type InterceptorOptions, Metadata } from '@grpc/grpc-js';
import { expect, it } from 'vitest';
import { setWaitForReady, waitForReady } from '../../../../lib/grpc/interceptors/wait-for-ready.js';

it('a call that has not set waitForReady waits, and keeps its other options', () => {
  const metadata = new Metadata({ idempotentRequest: true });
  setWaitForReady(metadata);
  expect(metadata.getOptions()).toEqual({ idempotentRequest: true, waitForReady: true });
});

it('a call that has set waitForReady itself is not changed', () => {
  const metadata = new Metadata({ waitForReady: false });
  setWaitForReady(metadata);
  expect(metadata.getOptions()).toEqual({ waitForReady: false });
});

it('the interceptor changes a copy of the metadata: the caller may send it with another client, too', () => {
  const metadata = new Metadata({ idempotentRequest: true });
  metadata.set('tenant', 'a');
  const sent: Metadata[] = [];
  const call = { start: (started: Metadata) => sent.push(started) };
  const nextCall = (() => call) as unknown as Parameters<Interceptor>[1];
  waitForReady({} as InterceptorOptions, nextCall).start(metadata);
  expect(sent.map((one) => [one.getOptions(), one.get('tenant')])).toEqual([
    [{ idempotentRequest: true, waitForReady: true }, ['a']],
  ]);
  expect(metadata.getOptions()).toEqual({ idempotentRequest: true });
});
