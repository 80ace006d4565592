/** What is done to the connections of grpc-js's, on a stand-in for its transport. */
import { EventEmitter } from 'node:events';
import { describe, expect, it } from 'vitest';
import type { Subchannel } from '../../../lib/grpc/grpc-experimental.js';
import { prepareTransport } from '../../../lib/grpc/ready-transport.js';

interface Call {
  readonly http2Stream?: EventEmitter;
}

class Transport {
  readonly calls: Call[] = [];

  addActiveCall(call: Call): void {
    this.calls.push(call);
  }
}

async function prepared<T extends object | null>(transport: T): Promise<T> {
  prepareTransport({ getRealSubchannel: () => ({ transport }) } as unknown as Subchannel, true);
  await Promise.resolve();
  return transport;
}

/** A stream that a call listens to. */
function stream(): EventEmitter {
  return new EventEmitter().on('data', () => {}).on('close', () => {});
}

describe('the stream of a call', () => {
  it('holds nothing of the call once it has closed', async () => {
    const transport = await prepared(new Transport());
    const http2Stream = stream();
    transport.addActiveCall({ http2Stream });
    expect(transport.calls).toEqual([{ http2Stream }]);
    expect(http2Stream.listenerCount('data')).toBe(1);
    let closed = 0;
    http2Stream.on('close', () => closed++);
    http2Stream.emit('close');
    expect(closed).toBe(1);
    expect(http2Stream.eventNames()).toEqual(['error']);
    http2Stream.emit('error', new Error('too late to matter'));
  });

  it('is let go of once, however often its connection is told to be ready', async () => {
    const transport = await prepared(new Transport());
    const { addActiveCall } = transport;
    await prepared(transport);
    expect(transport.addActiveCall).toBe(addActiveCall);
  });

  it('is none where grpc-js looks different inside', async () => {
    const transport = await prepared(new Transport());
    transport.addActiveCall({});
    expect(transport.calls).toEqual([{}]);
    expect(await prepared({ session: {} })).toEqual({ session: {} });
    expect(await prepared(null)).toBeNull();
  });
});
