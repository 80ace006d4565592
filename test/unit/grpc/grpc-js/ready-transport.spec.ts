/** How a connection of grpc-js is prepared, on a stand-in for its transport. */
import { setImmediate as turn } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import type { Subchannel } from '../../../../lib/grpc/grpc-js/grpc-experimental.js';
import { prepareTransport } from '../../../../lib/grpc/grpc-js/ready-transport.js';

interface Call {
  listener?: { onReceiveStatus(status: string): void };
}

class Transport {
  readonly ended: Call[] = [];

  /** Called as grpc-js does at the end of a call; the status follows in a tick of its own. */
  removeActiveCall(call: Call): void {
    this.ended.push(call);
  }
}

async function prepared<T extends object | null>(transport: T): Promise<T> {
  prepareTransport({ getRealSubchannel: () => ({ transport }) } as unknown as Subchannel, true);
  await Promise.resolve();
  return transport;
}

describe('a call that has ended', () => {
  it('reports its status, and then drops its listener', async () => {
    const transport = await prepared(new Transport());
    const told: string[] = [];
    const calls = ['a', 'b'].map((id) => {
      const listener = { onReceiveStatus: (status: string) => told.push(`${id} ${status}`) };
      return { listener };
    });
    for (const call of calls) {
      transport.removeActiveCall(call);
      process.nextTick(() => call.listener.onReceiveStatus('OK'));
    }
    expect(transport.ended).toEqual(calls);
    await turn();
    expect(told).toEqual(['a OK', 'b OK']);
    for (const { listener } of calls) listener.onReceiveStatus('once more');
    expect(told).toHaveLength(2);
  });

  it('drops its listener in whichever turn of the event loop it ends', async () => {
    const transport = await prepared(new Transport());
    for (let round = 0; round < 3; round++) {
      const listener = { onReceiveStatus: () => {} };
      const call: Call = { listener };
      transport.removeActiveCall(call);
      await turn();
      expect(call.listener).not.toBe(listener);
    }
  });

  it('is released by one wrapper, even if its connection is prepared twice', async () => {
    const transport = await prepared(new Transport());
    const { removeActiveCall } = transport;
    await prepared(transport);
    expect(transport.removeActiveCall).toBe(removeActiveCall);
  });

  it('is not changed if grpc-js has other fields', async () => {
    const transport = await prepared(new Transport());
    const call = {};
    transport.removeActiveCall(call);
    await turn();
    expect(call).toEqual({});
    expect(await prepared({ session: {} })).toEqual({ session: {} });
    expect(await prepared(null)).toBeNull();
  });
});
