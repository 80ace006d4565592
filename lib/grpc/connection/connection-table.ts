/** The connections of one balancer: kept by address while lists come and go, and counted by state. */
import type { EndpointFacts } from '../../balance/candidate.js';
import type { ConnectionSettings } from './connection-settings.js';
import {
  type ConnectionContext,
  type ConnectionState,
  EndpointConnection,
} from './endpoint-connection.js';

/** Every connection by its endpoint's address. */
export class ConnectionTable {
  private readonly byAddress = new Map<string, EndpointConnection>();
  /** The number of the last list. */
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

  /** How many are in each state. */
  get count(): Readonly<Record<ConnectionState, number>> {
    return this.counts;
  }

  /** Why the last attempt of all that failed did; `undefined` while none has failed. */
  get lastError(): string | undefined {
    return this.failure;
  }

  values(): Iterable<EndpointConnection> {
    return this.byAddress.values();
  }

  /** Whether a connection is still this table's. */
  has(connection: EndpointConnection): boolean {
    return this.byAddress.get(connection.endpoint.address) === connection;
  }

  /** Has all connections use other settings, now and in the future. O(n). */
  configure(settings: ConnectionSettings): void {
    this.settings = settings;
    for (const connection of this.values()) connection.configure(settings);
  }

  /**
   * Follows a list: keeps the connections of endpoints that stay, closes those of endpoints that are gone. O(n).
   *
   * @param listed each address once
   * @returns connections of endpoints that are new, not started yet
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
        if (connection.list !== list) this.remove(address);
      }
    }
    return joined;
  }

  /**
   * Counts a connection that has changed its state.
   *
   * @returns false for one that is no longer this table's
   */
  recordTransition(connection: EndpointConnection, from: ConnectionState): boolean {
    if (!this.has(connection)) return false;
    this.counts[from]--;
    this.counts[connection.state]++;
    if (connection.state === 'failed') this.failure = connection.lastError ?? this.failure;
    return true;
  }

  /** Disconnects an endpoint that is not needed for now. */
  disconnect(connection: EndpointConnection): void {
    const { state } = connection;
    connection.disconnect();
    this.recordTransition(connection, state);
  }

  close(): void {
    for (const address of this.byAddress.keys()) this.remove(address);
  }

  private remove(address: string): void {
    const connection = this.byAddress.get(address);
    if (connection === undefined) return;
    this.byAddress.delete(address);
    this.counts[connection.state]--;
    connection.close();
  }
}
