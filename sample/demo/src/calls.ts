import { Changes } from './changes.js';

/** The calls that the client has printed: which server answered each, and which calls failed. */
export class Calls extends Changes {
  /** The server that answered, call by call. */
  readonly answers: string[] = [];
  readonly failures: string[] = [];
  private readonly lastAnswers = new Map<string, number>();

  /** Takes one line of the client's output. */
  read(line: string): void {
    const server = /^(\S+) answered: /.exec(line)?.[1];
    const failure = /^failed: (.*)/.exec(line)?.[1];
    if (server !== undefined) {
      this.answers.push(server);
      this.lastAnswers.set(server, performance.now());
    }
    if (failure !== undefined) {
      this.failures.push(failure);
      console.log(`   a call failed: ${failure}`);
    }
    if (server !== undefined || failure !== undefined) this.changed();
  }

  get total(): number {
    return this.answers.length + this.failures.length;
  }

  /** Every server that has answered at least once. */
  get servers(): ReadonlySet<string> {
    return new Set(this.answers);
  }

  /** When a server last answered, on the clock of `performance.now()`. */
  lastAnswerOf(server: string): number | undefined {
    return this.lastAnswers.get(server);
  }

  /** Resolves once the last `count` answers came from these servers, from each of them, and from no other. */
  async untilSharedBy(servers: readonly string[], count: number): Promise<void> {
    await this.until(`${count} calls in a row answered by ${servers.join(', ')} alone`, () => {
      const recent = new Set(this.answers.slice(-count));
      const shared = servers.every((server) => recent.has(server));
      return this.answers.length >= count && shared && recent.size === servers.length;
    });
  }

  /** Resolves when a number of further calls have been answered. */
  async untilAnswered(count: number): Promise<void> {
    const enough = this.answers.length + count;
    await this.until(`${count} more answers`, () => this.answers.length >= enough);
  }

  /** Resolves when a server has answered once more. */
  async untilNextAnswerOf(server: string): Promise<void> {
    const last = this.lastAnswerOf(server);
    await this.until(`an answer of ${server}`, () => this.lastAnswerOf(server) !== last);
  }

  /** The number of answers per server from an index on: `127.0.0.1:9997 100, 127.0.0.1:9998 100, …`. */
  describeShares(from: number, to = this.answers.length): string {
    const counts = new Map<string, number>();
    for (const server of this.answers.slice(from, to)) {
      counts.set(server, (counts.get(server) ?? 0) + 1);
    }
    return [...counts].map(([server, count]) => `${server} ${count}`).join(', ');
  }
}
