/** The connections of one balancer: each is kept by address while lists change, and counted by state. */
import type { EndpointFacts } from '../../balance/candidate.js';
import type { ConnectionSettings } from './connection-settings.js';
import {
  type ConnectionContext,
  type ConnectionState,
  EndpointConnection,
} from './endpoint-connection.js';

/** All connections of a balancer, by the addresses of their endpoints. */
export class ConnectionTable {
  private readonly byAddress = new Map<string, EndpointConnection>();
  /** The number of the last list; each connection has the number of the last list that it was in. */
  private lists = 0;
  private failure: string | undefined;
  private readonly counts: Record<ConnectionState, number> = {
    idle: 0,
    connecting: 0,
    ready: 0,
    failed: 0,
  };

  constructor(
    private settings: ConnectionSettings,
    private readonly context: ConnectionContext,
  ) {}

  get size(): number {
    return this.byAddress.size;
  }

  /** How many connections are in each state. */
  get count(): Readonly<Record<ConnectionState, number>> {
    return this.counts;
  }

  /** The reason of the last failed attempt of any connection; `undefined`: none has failed. */
  get lastError(): string | undefined {
    return this.failure;
  }

  values(): Iterable<EndpointConnection> {
    return this.byAddress.values();
  }

  /** Whether the table still contains this connection. */
  has(connection: EndpointConnection): boolean {
    return this.byAddress.get(connection.endpoint.address) === connection;
  }

  /** Gives new settings to all connections, present and future. O(n). */
  configure(settings: ConnectionSettings): void {
    this.settings = settings;
    for (const connection of this.values()) connection.configure(settings);
  }

  /**
   * Takes in a new list: keeps the connections of endpoints that stay, closes those of endpoints that left.
   * O(n).
   *
   * @param listed the endpoints, each address once
   * @returns the connections of new endpoints, not started yet
   */
  replace(listed: readonly EndpointFacts[]): EndpointConnection[] {
    const list = ++this.lists;
    const joined: EndpointConnection[] = [];
    for (const facts of listed) {
      const { address } = facts.endpoint;
      const known = this.byAddress.get(address);
      if (known !== undefined) known.list = list;
      if (known === undefined) {
        const connection = new EndpointConnection(facts, this.settings, this.context);
        connection.list = list;
        this.byAddress.set(address, connection);
        this.counts.idle++;
        joined.push(connection);
      } else if (facts.endpoint !== known.endpoint) {
        known.update(facts);
      }
    }
    if (this.byAddress.size > listed.length) {
      for (const [address, connection] of this.byAddress) {
        if (connection.list !== list) this.remove(address, connection);
      }
    }
    return joined;
  }

  /**
   * Counts a change of a connection's state.
   *
   * @returns false if the connection is no longer in the table
   */
  recordTransition(connection: EndpointConnection, from: ConnectionState): boolean {
    if (!this.has(connection)) return false;
    this.counts[from]--;
    this.counts[connection.state]++;
    if (connection.state === 'failed') this.failure = connection.lastError ?? this.failure;
    return true;
  }

  /** Disconnects an endpoint that is not needed for now; it stays in the table. */
  disconnect(connection: EndpointConnection): void {
    const { state } = connection;
    connection.disconnect();
    this.recordTransition(connection, state);
  }

  close(): void {
    for (const [address, connection] of this.byAddress) this.remove(address, connection);
  }

  private remove(address: string, connection: EndpointConnection): void {
    this.byAddress.delete(address);
    this.counts[connection.state]--;
    connection.close();
  }
}
