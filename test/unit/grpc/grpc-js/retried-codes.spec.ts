import { status } from '@grpc/grpc-js';
import { expect, it } from 'vitest';
import { retriedCodes } from '../../../../lib/grpc/grpc-js/retried-codes.js';

const { ABORTED, INTERNAL, UNAVAILABLE } = status;
const delays = { initialBackoff: '0.1s', maxBackoff: '1s', backoffMultiplier: 2 };
const retryPolicy = { maxAttempts: 2, ...delays, retryableStatusCodes: ['UNAVAILABLE', 'aborted'] };

it('a call without retries and hedges has no codes', () => {
  expect(retriedCodes({ name: [] })).toBeUndefined();
});

it('the codes of a retried call are numbers, whether names or numbers were given', () => {
  expect(retriedCodes({ name: [], retryPolicy })).toEqual(new Set([UNAVAILABLE, ABORTED]));
  const numbers = { ...retryPolicy, retryableStatusCodes: [INTERNAL] };
  expect(retriedCodes({ name: [], retryPolicy: numbers })).toEqual(new Set([INTERNAL]));
});

it('a name that is no status code is left out', () => {
  const unknown = { ...retryPolicy, retryableStatusCodes: ['SOMETHING', 'INTERNAL'] };
  expect(retriedCodes({ name: [], retryPolicy: unknown })).toEqual(new Set([INTERNAL]));
});

it('the codes of a hedged call are those that are not fatal, by default none', () => {
  const hedgingPolicy = { maxAttempts: 2, nonFatalStatusCodes: ['INTERNAL'] };
  expect(retriedCodes({ name: [], hedgingPolicy })).toEqual(new Set([INTERNAL]));
  expect(retriedCodes({ name: [], hedgingPolicy: { maxAttempts: 2 } })).toEqual(new Set());
});
