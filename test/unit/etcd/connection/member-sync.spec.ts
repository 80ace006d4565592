import { beforeEach, describe, expect, it } from 'vitest';
import { DiscoveryError } from '../../../../lib/core/discovery-error.js';
import type { ConnectionEvent } from '../../../../lib/core/discovery-event.js';
import { MalformedReplyError } from '../../../../lib/etcd/connection/etcd-error.js';
import {
  type ClientUrls,
  MemberSync,
  readMembers,
} from '../../../../lib/etcd/connection/member-sync.js';
import { FakeClock } from '../../../../lib/testing/fake-clock.js';

const member = (name: string, clientURLs: readonly string[], isLearner = false) => ({
  name,
  clientURLs,
  isLearner,
});

const urls = (...names: readonly string[]): ClientUrls => ({
  urls: names.map((name) => `http://${name}:1`),
  ignored: [],
  learners: [],
});

describe('readMembers', () => {
  it('returns every client URL of members that have started, and lists learners apart', () => {
    const members = [
      member('a', ['http://10.0.0.1:2379', 'http://a.example:2379/']),
      member('b', ['http://10.0.0.2:2379']),
      member('learner', ['http://10.0.0.3:2379'], true),
      member('', []),
    ];
    expect(readMembers({ members }, false)).toEqual({
      urls: ['http://10.0.0.1:2379', 'http://a.example:2379', 'http://10.0.0.2:2379'],
      ignored: [],
      learners: ['http://10.0.0.3:2379'],
    });
  });

  it('lists URLs apart that have another scheme than the hosts', () => {
    const members = [
      member('a', ['https://a:2379', 'http://a:2379']),
      member('b', ['unix://b:0', 'https://b:2379']),
    ];
    expect(readMembers({ members }, true)).toEqual({
      urls: ['https://a:2379', 'https://b:2379'],
      ignored: ['http://a:2379', 'unix://b:0'],
      learners: [],
    });
    expect(readMembers({ members }, false).urls).toEqual(['http://a:2379']);
  });

  it.each([null, {}, { members: [] }, { members: [null] }, { members: [member('', [])] }])(
    'refuses a list without members: %o',
    (reply) => {
      expect(() => readMembers(reply, false)).toThrow(MalformedReplyError);
    },
  );
});

describe('MemberSync', () => {
  const HOSTS = ['http://a:1', 'http://b:1'];
  let clock: FakeClock;
  let found: () => ClientUrls;
  let used: (readonly string[])[];
  let events: ConnectionEvent[];
  let sync: MemberSync;
  const look = async (): Promise<void> => {
    clock.advance(clock.nextTimerMs ?? Infinity);
    for (let turn = 0; turn < 5; turn++) await new Promise(setImmediate);
  };

  beforeEach(() => {
    clock = new FakeClock();
    used = [];
    events = [];
    found = () => urls('b', 'a');
    sync = new MemberSync({
      clock,
      random: () => 0.5,
      intervalMs: 10_000,
      hosts: HOSTS,
      list: async () => found(),
      onMembers: (members) => used.push(members),
      onEvent: (event) => events.push(event),
    });
    sync.start();
  });

  it('reads the list once an interval, and reports nothing while it equals the hosts', async () => {
    expect(clock.nextTimerMs).toBe(10_000);
    sync.start();
    await look();
    await look();
    expect(clock.now()).toBe(20_000);
    expect({ used, events }).toEqual({ used: [], events: [] });
  });

  it('passes on new members, with the hosts as the last ones', async () => {
    found = () => urls('c', 'a');
    await look();
    await look();
    expect(used).toEqual([['http://c:1', 'http://a:1', 'http://b:1']]);
    expect(events).toEqual([
      { type: 'members-changed', members: ['http://c:1', 'http://a:1'], ignored: [] },
    ]);
    found = () => urls('a', 'b');
    await look();
    expect(used.at(-1)).toEqual(HOSTS);
  });

  it('leaves out a host that is a learner', async () => {
    found = () => ({ ...urls('a'), learners: ['http://b:1'] });
    await look();
    expect(used).toEqual([['http://a:1']]);
  });

  it('keeps the hosts if no member can be dialled, and reports that', async () => {
    found = () => ({ urls: [], ignored: ['https://a:1'], learners: [] });
    await look();
    expect(used).toEqual([HOSTS]);
    expect(events).toEqual([{ type: 'members-changed', members: [], ignored: ['https://a:1'] }]);
  });

  it('reports a refusal once, reports nothing while etcd is away, and continues', async () => {
    const rejected = new DiscoveryError('REGISTRY_REJECTED', 'etcd member list failed: no');
    const away = new DiscoveryError('REGISTRY_UNAVAILABLE', 'etcd member list failed: away');
    found = () => {
      throw away;
    };
    await look();
    expect(events).toEqual([]);
    found = () => {
      throw rejected;
    };
    await look();
    await look();
    expect(events).toEqual([{ type: 'members-unknown', error: rejected }]);
    found = () => urls('c');
    await look();
    expect(events).toHaveLength(2);
  });

  it('passes on nothing after stop, even if a read was in flight', async () => {
    found = () => {
      sync.stop();
      return urls('c');
    };
    await look();
    expect({ used, pending: clock.pendingTimers }).toEqual({ used: [], pending: 0 });
  });
});
