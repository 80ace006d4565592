import type { EtcdConnection } from '../../../lib/etcd/connection/etcd-connection.js';
import { LeaseGoneError } from '../../../lib/etcd/connection/etcd-error.js';

interface FakeRecord {
  readonly value: string;
  readonly lease: string;
  readonly revision: number;
}

interface FakeCompare {
  readonly target: 'Lease' | 'Value' | 'Mod';
  readonly key: Buffer;
  readonly lease?: string;
  readonly value?: Buffer;
  readonly mod_revision?: string;
}

interface FakeOperation {
  readonly request_put?: { readonly key: Buffer; readonly value: Buffer; readonly lease: string };
  readonly request_delete_range?: { readonly key: Buffer };
  readonly request_range?: { readonly key: Buffer };
}

interface FakeTransaction {
  readonly compare: readonly FakeCompare[];
  readonly success: readonly FakeOperation[];
  readonly failure: readonly FakeOperation[];
}

type Handler = (data: { readonly ID: string; readonly TTL: string }) => void;

/** How long the removal of records from a {@link FakeEtcd} may take, in milliseconds. */
export const WITHDRAWAL_MS = 800;

/** The parts of etcd that records and leases need, within this process. */
export class FakeEtcd {
  readonly records = new Map<string, FakeRecord>();
  readonly leases = new Set<string>();
  /** The names of the requests, in order. */
  readonly log: string[] = [];
  /** Called before each request; may throw, or return a promise. */
  before: (what: string) => Promise<void> | void = () => {};
  private revision = 1;

  /** How often `doubt` was called. */
  doubts = 0;
  /** The highest number of operations, or comparisons, in one transaction. */
  largestTransaction = 0;

  /** The connection that the requests of this library take. */
  get connection(): EtcdConnection {
    const connection = {
      withdrawalTimeoutMs: WITHDRAWAL_MS,
      doubt: () => this.doubts++,
      request: async (what: string, run: (member: object, options: object) => Promise<unknown>) => {
        this.log.push(what);
        await this.before(what);
        return run(this.member, {});
      },
    };
    return connection as unknown as EtcdConnection;
  }

  put(key: string, value: string, lease = '0'): void {
    this.records.set(key, { value, lease, revision: ++this.revision });
  }

  grant(): string {
    const lease = `lease-${this.leases.size + 1}`;
    this.leases.add(lease);
    return lease;
  }

  drop(lease: string): void {
    this.leases.delete(lease);
    for (const [key, record] of this.records) if (record.lease === lease) this.records.delete(key);
  }

  private readonly member = {
    kv: { txn: async (transaction: FakeTransaction) => this.transact(transaction) },
    leaseClient: {
      leaseGrant: async ({ TTL }: { TTL: number }) => ({ ID: this.grant(), TTL: `${TTL}` }),
      leaseRevoke: async ({ ID }: { ID: string }) => {
        if (!this.leases.has(ID)) throw new LeaseGoneError('requested lease not found');
        this.drop(ID);
      },
      leaseKeepAlive: async () => {
        const handlers = new Map<string, Handler>();
        return {
          on: (event: string, handler: Handler) => handlers.set(event, handler),
          end: () => {},
          cancel: () => {},
          write: ({ ID }: { ID: string }) =>
            handlers.get('data')?.({ ID, TTL: this.leases.has(ID) ? '10' : '0' }),
        };
      },
    },
  };

  private transact({ compare, success, failure }: FakeTransaction): object {
    const sizes = [compare, success, failure].map(({ length }) => length);
    this.largestTransaction = Math.max(this.largestTransaction, ...sizes);
    const succeeded = compare.every((condition) => this.holds(condition));
    const responses = (succeeded ? success : failure).map((operation) => this.perform(operation));
    return { succeeded, responses };
  }

  private holds({ target, key, lease, value, mod_revision }: FakeCompare): boolean {
    const record = this.records.get(key.toString());
    if (target === 'Mod') return String(record?.revision ?? 0) === mod_revision;
    // As in etcd: no comparison with a value holds for a key that is not there.
    if (target === 'Value') return record !== undefined && record.value === value?.toString();
    return (record?.lease ?? '0') === lease;
  }

  private perform({ request_put, request_delete_range, request_range }: FakeOperation): object {
    if (request_put !== undefined) {
      const { key, value, lease } = request_put;
      if (lease !== '0' && !this.leases.has(lease)) throw new LeaseGoneError('lease not found');
      this.put(key.toString(), value.toString(), lease);
    }
    if (request_delete_range !== undefined)
      this.records.delete(request_delete_range.key.toString());
    const found = request_range && this.records.get(request_range.key.toString());
    if (!request_range || found === undefined) return { response_range: { kvs: [] } };
    const { value, lease, revision } = found;
    return {
      response_range: {
        kvs: [{ value: Buffer.from(value), lease, mod_revision: String(revision) }],
      },
    };
  }
}
