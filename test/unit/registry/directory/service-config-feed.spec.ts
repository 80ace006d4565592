import { expect, it } from 'vitest';
import type { DirectoryEvent } from '../../../../lib/core/discovery-event.js';
import { MemoryRegistry } from '../../../../lib/registry/memory-registry.js';
import { ServiceConfigFeed } from '../../../../lib/registry/directory/service-config-feed.js';

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
