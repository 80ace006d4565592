import { describe, expect, it } from 'vitest';
import { PingBudget } from '../../../lib/grpc/keepalive-pings.js';

/** A connection on which no message comes, unless it is told otherwise. */
class Connection {
  nowMs = 0;
  messages = 0;
  readonly budget = new PingBudget();

  /** Whether each of so many pings is sent, at intervals of 20 s. */
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

describe('pings that servers in Go bear', () => {
  it('are two into silence', () => {
    expect(new Connection().pings(4)).toEqual([true, true, false, false]);
  });

  it('are one in five minutes after that', () => {
    const connection = new Connection();
    const sent = connection.pings(60).flatMap((isSent, at) => (isSent ? [at] : []));
    expect(sent).toEqual([0, 1, 17, 33, 49]);
  });

  it('have no end where the server answers calls in between', () => {
    const connection = new Connection();
    for (let round = 0; round < 100; round++) expect(connection.receive().pings(1)).toEqual([true]);
  });

  it('begin anew with the first answer after silence', () => {
    const connection = new Connection();
    connection.pings(10);
    expect(connection.receive().pings(3)).toEqual([true, true, false]);
  });

  it('are one more where a call was sent into the silence, however many are', () => {
    const connection = new Connection();
    connection.pings(5);
    connection.budget.called();
    expect(connection.pings(2)).toEqual([true, false]);
    connection.budget.called();
    expect(connection.pings(2)).toEqual([false, false]);
  });

  it('are not sent ahead of a call, where the server sees none, however long ago the last was', () => {
    const connection = new Connection();
    connection.pings(2);
    expect(connection.budget.take(0, connection.nowMs + 400_000, false)).toBe(false);
    expect(connection.budget.take(0, connection.nowMs + 400_000, true)).toBe(true);
  });
});
