import { describe, expect, it } from 'vitest';
import { validateRetry } from '../../../../lib/nest/options/validate-retry.js';

describe('the option retry', () => {
  it.each<[unknown]>([
    [false],
    [{}],
    [{ methods: 'idempotent' }],
    [{ methods: 'all' }],
    [{ methods: [] }],
    [{ methods: ['Login', 'user.User/Login'] }],
    [{ maxAttempts: 2, initialBackoffMs: 1, maxBackoffMs: 1, backoffMultiplier: 1 }],
    [{ maxAttempts: 5, initialBackoffMs: 60_000, maxBackoffMs: 60_000, backoffMultiplier: 10 }],
    [{ statusCodes: ['UNAVAILABLE', 'ABORTED'] }],
    [{ hedgingDelayMs: 1 }],
    [{ hedgingDelayMs: 60_000 }],
    [{ throttling: false }],
    [{ throttling: { maxTokens: 1, tokenRatio: 0.001 } }],
    [{ throttling: { maxTokens: 1_000, tokenRatio: 1_000 } }],
  ])('accepts %j', (value) => {
    expect(() => validateRetry('retry', value)).not.toThrow();
  });

  it.each<[unknown, string]>([
    [true, 'retry is true'],
    [null, 'retry is null'],
    [{ methods: 'some' }, 'retry.methods is "some"; allowed: idempotent, all, or an array'],
    [{ methods: [7] }, 'retry.methods is 7; allowed: idempotent, all, or an array'],
    [{ methods: ['Login', ''] }, 'retry.methods is ""; allowed: idempotent, all, or an array'],
    [{ maxAttempts: 1 }, 'retry.maxAttempts is 1'],
    [{ maxAttempts: 6 }, 'retry.maxAttempts is 6'],
    [{ maxAttempts: 2.5 }, 'retry.maxAttempts is 2.5'],
    [{ initialBackoffMs: 0 }, 'retry.initialBackoffMs is 0'],
    [{ initialBackoffMs: 60_001 }, 'retry.initialBackoffMs is 60001'],
    [{ maxBackoffMs: 0 }, 'retry.maxBackoffMs is 0'],
    [{ maxBackoffMs: 60_001 }, 'retry.maxBackoffMs is 60001'],
    [{ backoffMultiplier: 0.9 }, 'retry.backoffMultiplier is 0.9'],
    [{ backoffMultiplier: 10.1 }, 'retry.backoffMultiplier is 10.1'],
    [{ statusCodes: 'UNAVAILABLE' }, 'retry.statusCodes is a string; allowed: an array'],
    [{ statusCodes: [] }, 'retry.statusCodes is []; allowed: at least one of CANCELLED, UNKNOWN'],
    [{ statusCodes: ['OK'] }, 'retry.statusCodes is "OK"; allowed: CANCELLED'],
    [{ statusCodes: ['UNAVAILABLE', '14'] }, 'retry.statusCodes is "14"; allowed: CANCELLED'],
    [{ hedgingDelayMs: 0 }, 'retry.hedgingDelayMs is 0'],
    [{ hedgingDelayMs: 60_001 }, 'retry.hedgingDelayMs is 60001'],
    [{ throttling: true }, 'retry.throttling is true; allowed: false, or an object with'],
    [{ throttling: { maxTokens: 1 } }, 'retry.throttling.tokenRatio is '],
    [{ throttling: { tokenRatio: 1 } }, 'retry.throttling.maxTokens is '],
    [{ throttling: { maxTokens: 0.9, tokenRatio: 1 } }, 'retry.throttling.maxTokens is 0.9'],
    [{ throttling: { maxTokens: 1_001, tokenRatio: 1 } }, 'retry.throttling.maxTokens is 1001'],
    [{ throttling: { maxTokens: 1, tokenRatio: 0 } }, 'retry.throttling.tokenRatio is 0'],
    [{ throttling: { maxTokens: 1, tokenRatio: 1_001 } }, 'retry.throttling.tokenRatio is 1001'],
  ])('rejects %j', (value, reason) => {
    expect(() => validateRetry('retry', value)).toThrow(`[INVALID_OPTION] option ${reason}`);
  });
});
