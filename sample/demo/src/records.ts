import { EtcdRegistry } from 'nestjs-grpc-discovery';
import type { Subscription } from 'rxjs';
import { Changes } from './changes.js';

/** How long the first answer of etcd may take, in milliseconds. */
const ANSWER_WITHIN_MS = 5_000;

/** The records of the service `api` in etcd. */
export class Records extends Changes {
  private readonly registry: EtcdRegistry;
  private readonly subscription: Subscription;
  private records: ReadonlyMap<string, string> | undefined;
  private failure = 'no answer';

  constructor(private readonly hosts: readonly string[]) {
    super();
    this.registry = new EtcdRegistry({ hosts });
    this.subscription = this.registry.watch('api').subscribe((update) => {
      if (update.kind === 'failure') {
        this.failure = update.error.message;
        return;
      }
      const next = new Map(update.kind === 'reset' ? [] : this.records);
      const put = update.kind === 'reset' ? update.snapshot : update.change.put;
      for (const [key, { address }] of put) next.set(key, address);
      if (update.kind === 'change') for (const key of update.change.removed) next.delete(key);
      this.records = next;
      this.changed();
    });
  }

  /** The addresses in etcd; `undefined` until etcd has answered. */
  get addresses(): readonly string[] | undefined {
    return this.records === undefined ? undefined : [...this.records.values()];
  }

  /** @throws when etcd does not answer within 5 s */
  async untilKnown(): Promise<void> {
    const known = (): boolean => this.records !== undefined;
    try {
      await this.until('an answer from etcd', known, ANSWER_WITHIN_MS);
    } catch (cause) {
      throw new Error(`etcd at ${this.hosts.join(', ')} does not answer: ${this.failure}`, {
        cause,
      });
    }
  }

  async untilThere(address: string): Promise<void> {
    await this.until(`the record of ${address}`, () => this.addresses?.includes(address) === true);
  }

  async untilGone(address: string): Promise<void> {
    const gone = (): boolean => this.addresses?.includes(address) === false;
    await this.until(`the record of ${address} gone`, gone);
  }

  async untilEmpty(): Promise<void> {
    await this.until('no record of "api" in etcd', () => this.addresses?.length === 0);
  }

  async close(): Promise<void> {
    this.subscription.unsubscribe();
    await this.registry.close();
  }
}
