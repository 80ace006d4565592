import { afterEach, describe, expect, it, vi } from 'vitest';
import type { Subchannel } from '../../../../lib/grpc/grpc-js/grpc-experimental.js';
import { PingBudget } from '../../../../lib/grpc/grpc-js/keepalive-pings.js';
import { prepareTransport } from '../../../../lib/grpc/grpc-js/ready-transport.js';

/** A connection that gets no message unless `receive` is called. */
class Connection {
  nowMs = 0;
  messages = 0;
  readonly budget = new PingBudget();

  /** Tries a ping every 20 s, `count` times; returns whether each was sent. */
  pings(count: number): boolean[] {
    return Array.from({ length: count }, () => {
      this.nowMs += 20_000;
      return this.budget.take(this.messages, this.nowMs);
    });
  }

  receive(): this {
    this.messages++;
    return this;
  }
}

describe('the pings that PingBudget allows', () => {
  it('are two while the server sends nothing', () => {
    expect(new Connection().pings(4)).toEqual([true, true, false, false]);
  });

  it('are one in five minutes after the first two', () => {
    const connection = new Connection();
    const sent = connection.pings(60).flatMap((isSent, at) => (isSent ? [at] : []));
    expect(sent).toEqual([0, 1, 17, 33, 49]);
  });

  it('are one more 310 s after the last one, and none sooner', () => {
    const connection = new Connection();
    connection.pings(2);
    const { budget, nowMs } = connection;
    expect(budget.take(0, nowMs + 309_999)).toBe(false);
    expect(budget.take(0, nowMs + 310_000)).toBe(true);
  });

  it('are not limited while the server answers calls in between', () => {
    const connection = new Connection();
    for (let round = 0; round < 100; round++) expect(connection.receive().pings(1)).toEqual([true]);
  });

  it('are two again after the first message of the server', () => {
    const connection = new Connection();
    connection.pings(10);
    expect(connection.receive().pings(3)).toEqual([true, true, false]);
  });

  it('are one more after a call was sent, and no more after further calls', () => {
    const connection = new Connection();
    connection.pings(5);
    connection.budget.called();
    expect(connection.pings(2)).toEqual([true, false]);
    connection.budget.called();
    expect(connection.pings(2)).toEqual([false, false]);
  });

  it('are no more than the first two while no call is open, however long ago the last ping was', () => {
    const connection = new Connection();
    connection.pings(2);
    expect(connection.budget.take(0, connection.nowMs + 400_000, false)).toBe(false);
    expect(connection.budget.take(0, connection.nowMs + 400_000, true)).toBe(true);
  });
});

/** Stands in for the part of grpc-js's transport that pings: it only counts. */
class Transport {
  readonly session = { closed: false };
  messagesReceived: number | undefined = 0;
  pings = 0;
  timers = 0;
  calls = 0;

  canSendPing(): boolean {
    return this.calls > 0;
  }

  maybeSendPing(): void {
    if (this.canSendPing()) this.pings++;
  }

  maybeStartKeepalivePingTimer(): void {
    this.timers++;
  }

  addActiveCall(): void {
    this.calls++;
  }
}

async function governed(transport: object | null, isSparing: boolean): Promise<void> {
  const subchannel = { getRealSubchannel: () => ({ transport }) };
  prepareTransport(subchannel as unknown as Subchannel, isSparing);
  await Promise.resolve();
}

/** Sends a ping that was put off before each call, as grpc-js does. */
class PuttingOffTransport extends Transport {
  override addActiveCall(): void {
    super.addActiveCall();
    this.maybeSendPing();
  }
}

describe('the pings of a connection', () => {
  afterEach(() => {
    vi.useRealTimers();
  });

  it('all count as sent into silence if grpc-js does not count messages', async () => {
    const transport = new Transport();
    transport.messagesReceived = undefined;
    await governed(transport, true);
    transport.addActiveCall();
    for (let turn = 0; turn < 5; turn++) transport.maybeSendPing();
    expect(transport).toMatchObject({ pings: 2, timers: 3 });
  });

  it('that were put off until a call are not sent after a long silence, but during that call', async () => {
    vi.useFakeTimers({ toFake: ['performance'] });
    const transport = new PuttingOffTransport();
    await governed(transport, true);
    for (let call = 0; call < 3; call++) transport.addActiveCall();
    expect(transport.pings).toBe(3);
    vi.advanceTimersByTime(400_000);
    transport.addActiveCall();
    expect(transport.pings).toBe(3);
    transport.maybeSendPing();
    expect(transport.pings).toBe(4);
  });

  it('end when the connection is closing', async () => {
    const transport = new Transport();
    await governed(transport, false);
    transport.addActiveCall();
    transport.maybeSendPing();
    transport.session.closed = true;
    transport.maybeSendPing();
    expect(transport.pings).toBe(1);
  });

  it('are not limited on a connection that need not spare them', async () => {
    const transport = new Transport();
    await governed(transport, false);
    transport.addActiveCall();
    for (let turn = 0; turn < 5; turn++) transport.maybeSendPing();
    expect(transport).toMatchObject({ pings: 5, timers: 0 });
  });

  it('are put off for another interval if the budget does not allow them', async () => {
    const transport = new Transport();
    await governed(transport, true);
    transport.addActiveCall();
    for (let turn = 0; turn < 5; turn++) transport.maybeSendPing();
    expect(transport).toMatchObject({ pings: 2, timers: 3 });
    transport.addActiveCall();
    transport.maybeSendPing();
    expect(transport.pings).toBe(3);
    transport.messagesReceived = 1;
    transport.maybeSendPing();
    expect(transport.pings).toBe(4);
  });

  it('take nothing from the budget while no call is open', async () => {
    const transport = new Transport();
    await governed(transport, true);
    for (let turn = 0; turn < 5; turn++) transport.maybeSendPing();
    expect(transport).toMatchObject({ pings: 0, timers: 0 });
  });

  it('are limited once, even if the connection is prepared twice', async () => {
    const transport = new Transport();
    await governed(transport, true);
    const { maybeSendPing } = transport;
    await governed(transport, true);
    expect(transport.maybeSendPing).toBe(maybeSendPing);
  });

  it('are left alone if there is no transport, or it lacks the methods that would be wrapped', async () => {
    const stranger = { session: {} };
    await governed(stranger, true);
    await governed(null, true);
    expect(stranger).toEqual({ session: {} });
  });
});
