import { expect, it } from 'vitest';
import { type Observable, Subject } from 'rxjs';
import type { DirectoryEvent } from '../../../../lib/core/discovery-event.js';
import { MemoryRegistry } from '../../../../lib/registry/memory-registry.js';
import { ServiceConfigFeed } from '../../../../lib/registry/directory/service-config-feed.js';

class PublishingRegistry extends MemoryRegistry {
  readonly texts = new Subject<string | undefined>();
  watches = 0;

  override watchServiceConfig(): Observable<string | undefined> {
    this.watches++;
    return this.texts;
  }
}

it('the channels of a service share one watch of its config, and a late channel gets the last text only', () => {
  const registry = new PublishingRegistry();
  const { text$ } = new ServiceConfigFeed(registry, 'api', undefined);
  expect(registry.watches).toBe(0);
  const [early, late]: [unknown[], unknown[]] = [[], []];
  const subscriptions = [text$.subscribe((text) => early.push(text))];
  for (const text of [undefined, '{1', '{2']) registry.texts.next(text);
  subscriptions.push(text$.subscribe((text) => late.push(text)));
  registry.texts.next('{3');
  expect([early, late]).toEqual([
    [undefined, '{1', '{2', '{3'],
    ['{2', '{3'],
  ]);
  expect(registry.watches).toBe(1);
  for (const subscription of subscriptions) subscription.unsubscribe();
  expect(registry.texts.observed).toBe(false);
});

const unknown = (names: string): DirectoryEvent => ({
  type: 'service-config-names-unknown',
  service: 'api',
  names,
});

it('the feed reports the fault of a config once, however many channels report it', () => {
  const events: DirectoryEvent[] = [];
  const feed = new ServiceConfigFeed(new MemoryRegistry(), 'api', (event) => events.push(event));
  for (const text of ['{1', '{1', '{2']) {
    feed.reject(text, 'it is not JSON', text === '{2');
    feed.question(text, 'method "a.A/b"');
  }
  feed.question('{2', 'method "a.A/c"');
  const ignored = { type: 'service-config-ignored', service: 'api', reason: 'it is not JSON' };
  expect(events).toEqual([
    { ...ignored, isFirst: true },
    unknown('method "a.A/b"'),
    ignored,
    unknown('method "a.A/b"'),
    unknown('method "a.A/c"'),
  ]);
});
