/** A server as one case of the contract sees it: with keys of its own, and replies made comparable. */
import { randomInt } from 'node:crypto';
import type { Metadata } from '@grpc/grpc-js';
import type { Message, Outcome, RawClient, RawStream } from './raw-client.js';
import type { RunningTarget } from './targets.js';

/** The comparison of a compare that `CaseServer.compare` makes. */
type Comparison = '=' | '>' | '<' | '!=';

/**
 * A server as one case sees it. Its keys get a prefix of the case, which replies do not show. In replies,
 * revisions are `+n`, counted from the revision at the start; leases have the number of their order; default
 * values are left out.
 */
export class CaseServer {
  private readonly streams: RawStream[] = [];
  private readonly leases: string[] = [];

  private constructor(
    readonly client: RawClient,
    readonly target: RunningTarget,
    readonly prefix: string,
    readonly base: number,
  ) {}

  static async open(client: RawClient, target: RunningTarget, prefix: string): Promise<CaseServer> {
    const { reply } = await client.call('KV/Range', { key: Buffer.from('x') });
    const header = reply?.['header'] as Message | undefined;
    return new CaseServer(client, target, prefix, Number(header?.['revision']));
  }

  close(): void {
    for (const stream of this.streams) stream.cancel();
  }

  /** The bytes of a key of this case. */
  key(name: string): Buffer {
    return Buffer.from(this.prefix + name);
  }

  /** `key` and `range_end` of all keys of this case that begin with `name`. */
  all(name = ''): { key: Buffer; range_end: Buffer } {
    const key = this.key(name);
    const end = Buffer.from(key);
    end[end.length - 1] = (end.at(-1) ?? 0) + 1;
    return { key, range_end: end };
  }

  /** The revision `n` after the revision at the start of the case. */
  revision(n: number): number {
    return this.base + n;
  }

  async call(path: string, request: object, metadata?: Metadata): Promise<unknown> {
    return this.outcome(await this.client.call(path, request, metadata));
  }

  put(name: string, value = '', more: object = {}): Promise<unknown> {
    const request = { key: this.key(name), value: Buffer.from(value), ...more };
    return this.call('KV/Put', request);
  }

  get(name: string, more: object = {}): Promise<unknown> {
    return this.call('KV/Range', { key: this.key(name), ...more });
  }

  range(name = '', more: object = {}): Promise<unknown> {
    return this.call('KV/Range', { ...this.all(name), ...more });
  }

  delete(name: string, more: object = {}): Promise<unknown> {
    return this.call('KV/DeleteRange', { key: this.key(name), ...more });
  }

  txn(compare: object[], success: object[], failure: object[] = []): Promise<unknown> {
    return this.call('KV/Txn', { compare, success, failure });
  }

  compact(n: number): Promise<unknown> {
    return this.call('KV/Compact', { revision: this.revision(n), physical: true });
  }

  /** One operation of a transaction: a put. The methods below make the other operations. */
  putOp(name: string, value = '', more: object = {}): object {
    return { request_put: { key: this.key(name), value: Buffer.from(value), ...more } };
  }

  getOp(name: string, more: object = {}): object {
    return { request_range: { key: this.key(name), ...more } };
  }

  deleteOp(name: string, more: object = {}): object {
    return { request_delete_range: { key: this.key(name), ...more } };
  }

  txnOp(compare: object[], success: object[], failure: object[] = []): object {
    return { request_txn: { compare, success, failure } };
  }

  compare(
    name: string,
    target: 'version' | 'create_revision' | 'mod_revision' | 'value' | 'lease',
    comparison: Comparison,
    wanted: number | string | Buffer,
  ): object {
    return {
      key: this.key(name),
      target: { version: 0, create_revision: 1, mod_revision: 2, value: 3, lease: 4 }[target],
      result: { '=': 0, '>': 1, '<': 2, '!=': 3 }[comparison],
      [target]: target === 'value' ? Buffer.from(wanted as string) : wanted,
    };
  }

  /** An id for a lease. Replies show the leases of a case as `lease 1`, `lease 2` and so on. */
  leaseId(id = String(randomInt(1, 2 ** 47))): string {
    this.leases.push(id);
    return id;
  }

  /** Grants a lease and returns its id. */
  async lease(ttlSeconds = 60, wantedId?: string): Promise<string> {
    const id = this.leaseId(wantedId);
    await this.client.call('Lease/LeaseGrant', { TTL: ttlSeconds, ID: id });
    return id;
  }

  stream(path: string, metadata?: Metadata): CaseStream {
    const stream = this.client.stream(path, metadata);
    this.streams.push(stream);
    return new CaseStream(this, stream);
  }

  /** A watch stream with one watcher, after its message `created`. */
  async watch(create: object): Promise<CaseStream> {
    const stream = this.stream('Watch/Watch');
    stream.send({ create_request: create });
    await stream.next();
    return stream;
  }

  outcome({ reply, refusal }: Outcome): unknown {
    return refusal ?? this.comparable(reply);
  }

  /** A message without the fields in which any two servers differ. */
  comparable(value: unknown, name = ''): unknown {
    if (Buffer.isBuffer(value)) return this.text(value);
    if (Array.isArray(value)) return value.map((item) => this.comparable(item, name));
    if (value !== null && typeof value === 'object') {
      const fields = Object.entries(value as Message)
        .filter(([field]) => !['cluster_id', 'member_id', 'raft_term'].includes(field))
        .map(([field, item]) => [field, this.comparable(item, field)] as const)
        .filter(([, item]) => !isDefault(item));
      return Object.fromEntries(fields);
    }
    if (name.endsWith('revision')) return this.relative(Number(value));
    if ((name === 'lease' || name === 'ID') && this.leases.includes(String(value))) {
      return `lease ${this.leases.indexOf(String(value)) + 1}`;
    }
    return typeof value === 'string' && /^-?\d+$/.test(value) ? Number(value) : value;
  }

  private relative(revision: number): number | string {
    return revision === 0 ? 0 : `+${revision - this.base}`;
  }

  private text(bytes: Buffer): string {
    const text = bytes.toString();
    const shown = text.startsWith(this.prefix) ? text.slice(this.prefix.length) : text;
    return shown.length > 100 ? `${shown.length} bytes` : shown;
  }
}

/** A stream of a case, whose messages are made comparable. */
export class CaseStream {
  constructor(
    private readonly server: CaseServer,
    readonly raw: RawStream,
  ) {}

  send(message: object): void {
    this.raw.send(message);
  }

  async next(timeoutMs?: number): Promise<unknown> {
    return this.server.comparable(await this.raw.next(timeoutMs));
  }

  /** At least `count` events in order, in whatever messages they come; see {@link eventText}. */
  events(count: number): Promise<string[]> {
    return this.collect((events) => events.length >= count);
  }

  /** The events up to the one for which `isLast` returns true. */
  eventsMatching(isLast: (event: string) => boolean): Promise<string[]> {
    return this.collect((events) => events.some(isLast));
  }

  private async collect(isComplete: (events: string[]) => boolean): Promise<string[]> {
    const events: string[] = [];
    while (!isComplete(events)) {
      const message = (await this.next()) as { events?: EventShape[]; canceled?: boolean };
      if (message.canceled === true) throw new Error(`watch canceled: ${JSON.stringify(message)}`);
      for (const event of message.events ?? []) events.push(eventText(event));
    }
    return events;
  }
}

interface EventShape {
  readonly type?: number;
  readonly kv: { key: string; value?: string; mod_revision: string; lease?: string };
  readonly prev_kv?: { value?: string; mod_revision: string };
}

/** An event as `+revision put key=value` or `+revision delete key`, with its lease and the previous value. */
function eventText({ type, kv, prev_kv: before }: EventShape): string {
  const change = type === 1 ? `delete ${kv.key}` : `put ${kv.key}=${kv.value ?? ''}`;
  const lease = kv.lease === undefined ? '' : ` under ${kv.lease}`;
  const was = before === undefined ? '' : ` was ${before.value ?? ''} at ${before.mod_revision}`;
  return `${kv.mod_revision} ${change}${lease}${was}`;
}

function isDefault(value: unknown): boolean {
  if (Array.isArray(value)) return value.length === 0;
  return value === null || value === '' || value === 0 || value === false;
}
