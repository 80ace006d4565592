/** The connections of one balancer: kept by address while lists come and go, and counted by state. */
import type { EndpointFacts } from '../../balance/candidate.js';
import type { EndpointLoad } from '../../balance/load/endpoint-load.js';
import {
  type ConnectionContext,
  type ConnectionState,
  EndpointConnection,
} from './endpoint-connection.js';

/** Every connection by its endpoint's address. */
export class ConnectionTable {
  private readonly byAddress = new Map<string, EndpointConnection>();
  /** How many lists were taken in. */
  private lists = 0;
  private readonly counts: Record<ConnectionState, number> = {
    idle: 0,
    connecting: 0,
    ready: 0,
    failed: 0,
  };

  /**
   * @param context what connections are made with
   * @param createLoad makes the statistics of an endpoint that is new, or is another process than before
   */
  constructor(
    private readonly context: ConnectionContext,
    private readonly createLoad: () => EndpointLoad,
  ) {}

  get size(): number {
    return this.byAddress.size;
  }

  /** How many are in each state. */
  get count(): Readonly<Record<ConnectionState, number>> {
    return this.counts;
  }

  values(): Iterable<EndpointConnection> {
    return this.byAddress.values();
  }

  /** Whether a connection is still this table's. */
  has(connection: EndpointConnection): boolean {
    return this.byAddress.get(connection.endpoint.address) === connection;
  }

  /**
   * Takes in a list: keeps who stays, closes who is gone. O(n).
   *
   * @param listed each address once
   * @returns connections of endpoints that are new, not started yet
   */
  replace(listed: readonly EndpointFacts[]): EndpointConnection[] {
    const list = ++this.lists;
    const joined: EndpointConnection[] = [];
    for (const facts of listed) {
      const { address, incarnation } = facts.endpoint;
      const known = this.byAddress.get(address);
      if (known !== undefined) known.list = list;
      if (known === undefined) {
        const connection = new EndpointConnection(facts, this.createLoad, this.context);
        connection.list = list;
        this.byAddress.set(address, connection);
        this.counts.idle++;
        joined.push(connection);
      } else if (facts.endpoint !== known.endpoint) {
        const isAnother = known.endpoint.incarnation !== incarnation;
        known.describe(facts);
        if (isAnother) known.renew();
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
   * A connection changed its state.
   *
   * @returns false for one that is no longer this table's
   */
  moved(connection: EndpointConnection, from: ConnectionState): boolean {
    if (!this.has(connection)) return false;
    this.counts[from]--;
    this.counts[connection.state]++;
    return true;
  }

  /** Has a connection rest that is not needed for now. */
  rest(connection: EndpointConnection): void {
    const { state } = connection;
    connection.rest();
    this.moved(connection, state);
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
