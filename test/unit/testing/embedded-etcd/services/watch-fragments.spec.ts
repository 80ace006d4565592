import { describe, expect, it } from 'vitest';
import {
  MAX_FRAGMENT_BYTES,
  splitEvents,
} from '../../../../../lib/testing/embedded-etcd/services/watch-fragments.js';
import type {
  KeyValue,
  WatchEvent,
} from '../../../../../lib/testing/embedded-etcd/wire/wire-messages.js';

function keyValue(size: number): KeyValue {
  return {
    key: Buffer.from('k'),
    value: Buffer.alloc(size),
    createRevision: 1,
    modRevision: 2,
    version: 1,
    lease: '0',
  };
}

function event(bytes: number, before = 0): WatchEvent {
  return {
    type: 0,
    kv: keyValue(bytes),
    prevKv: before === 0 ? undefined : keyValue(before),
  };
}

const shape = (events: WatchEvent[]): number[] => splitEvents(events).map(({ length }) => length);

describe('splitEvents', () => {
  it('leaves a small delivery whole', () => {
    expect(shape([])).toEqual([0]);
    expect(shape([event(10), event(10)])).toEqual([2]);
  });

  it('splits a large delivery into parts below the limit, counting previous values too', () => {
    const megabyte = 1024 * 1024;
    expect(shape([event(megabyte), event(megabyte / 2), event(megabyte)])).toEqual([2, 1]);
    expect(shape([event(10, megabyte), event(10, megabyte)])).toEqual([1, 1]);
  });

  it('never splits an event, however large', () => {
    expect(shape([event(MAX_FRAGMENT_BYTES * 2), event(1)])).toEqual([1, 1]);
  });
});
