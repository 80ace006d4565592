import { expect, it } from 'vitest';
import { RetryThrottle } from '../../../../lib/balance/load/retry-throttle.js';

function failing(throttle: RetryThrottle, count: number): void {
  for (let call = 0; call < count; call++) throttle.addCallFailed();
}

it('further attempts stop with half of the tokens, and go on with more', () => {
  const throttle = new RetryThrottle({ maxTokens: 10, tokenRatio: 0.5 });
  failing(throttle, 4);
  expect(throttle.canRetryCall()).toBe(true);
  failing(throttle, 1);
  expect(throttle.canRetryCall()).toBe(false);
  throttle.addCallSucceeded();
  expect(throttle.canRetryCall()).toBe(true);
});

it('the bucket never has more tokens than its maximum, and never fewer than none', () => {
  const throttle = new RetryThrottle({ maxTokens: 4, tokenRatio: 1 });
  throttle.addCallSucceeded();
  failing(throttle, 2);
  expect(throttle.canRetryCall()).toBe(false);
  failing(throttle, 100);
  for (let call = 0; call < 3; call++) throttle.addCallSucceeded();
  expect(throttle.canRetryCall()).toBe(true);
});

it('the bucket stays as full under other options, in proportion', () => {
  const throttle = new RetryThrottle({ maxTokens: 100, tokenRatio: 0.1 });
  failing(throttle, 40);
  throttle.configure({ maxTokens: 10, tokenRatio: 0.1 });
  expect(throttle.canRetryCall()).toBe(true);
  failing(throttle, 1);
  expect(throttle.canRetryCall()).toBe(false);
});

it('by default 50 failures without an answer stop further attempts', () => {
  const throttle = new RetryThrottle();
  failing(throttle, 49);
  expect(throttle.canRetryCall()).toBe(true);
  failing(throttle, 1);
  expect(throttle.canRetryCall()).toBe(false);
});

it('by default an answer gives back a tenth of a token', () => {
  const throttle = new RetryThrottle();
  failing(throttle, 51);
  for (let call = 0; call < 9; call++) throttle.addCallSucceeded();
  expect(throttle.canRetryCall()).toBe(false);
  for (let call = 0; call < 2; call++) throttle.addCallSucceeded();
  expect(throttle.canRetryCall()).toBe(true);
});

it('an empty bucket needs more than half of its tokens back', () => {
  const throttle = new RetryThrottle({ maxTokens: 4, tokenRatio: 1 });
  failing(throttle, 100);
  for (let call = 0; call < 2; call++) throttle.addCallSucceeded();
  expect(throttle.canRetryCall()).toBe(false);
  throttle.addCallSucceeded();
  expect(throttle.canRetryCall()).toBe(true);
});
