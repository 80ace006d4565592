import { expect, it } from 'vitest';
import { NEVER, type Observable } from 'rxjs';
import { DiscoveryError } from '../../../lib/core/discovery-error.js';
import type { RegistryUpdate } from '../../../lib/core/snapshot/registry-update.js';
import { Registry } from '../../../lib/registry/registry.js';

class UserRegistry extends Registry {
  readonly scheme = 'user';

  override watch(): Observable<RegistryUpdate> {
    return NEVER;
  }
}

it("a user's registry needs only a scheme and a watch; the defaults suit a read-only one", async () => {
  const registry = new UserRegistry();
  expect(registry.describe('api')).toBe('user registry, service "api"');
  expect(registry.refresh('api')).toBeUndefined();
  await expect(registry.close()).resolves.toBeUndefined();
  const register = (): unknown =>
    registry.register({
      service: 'api',
      endpoint: { address: 'h:1', metadata: null },
      ttlSeconds: 10,
    });
  expect(register).toThrow(DiscoveryError);
  expect(register).toThrow(
    '[INVALID_OPTION] service "api" cannot be registered: the user registry',
  );
});

it('the default events$ never completes', () => {
  let ended = false;
  const subscription = new UserRegistry().events$.subscribe({ complete: () => (ended = true) });
  expect(ended).toBe(false);
  expect(subscription.closed).toBe(false);
  subscription.unsubscribe();
});

it('no removal is final by default, because records may expire', () => {
  expect(new UserRegistry().removalsAreFinal).toBe(false);
});

it('by default watchServiceConfig emits at once that there is no service config, and never completes', () => {
  const seen: unknown[] = [];
  const subscription = new UserRegistry().watchServiceConfig('api').subscribe({
    next: (text) => seen.push(text),
    complete: () => seen.push('complete'),
  });
  expect(seen).toEqual([undefined]);
  subscription.unsubscribe();
});
