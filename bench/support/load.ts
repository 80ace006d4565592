/** Calls as fast as answers come, or at a rate whether or not they come; counted and timed. */
import { setTimeout as pause } from 'node:timers/promises';
import type { TimedCall } from './balanced-fleet.js';
import { quantile } from './statistics.js';

/** What came of a load. */
export interface LoadResult {
  readonly calls: number;
  readonly failed: number;
  readonly perSecond: number;
  readonly byServer: Readonly<Record<string, number>>;
  readonly p99Ms: number;
}

interface Sample {
  readonly startedMs: number;
  readonly latencyMs: number;
  readonly server: string | undefined;
}

/** A load that runs, call by call. */
export class Load {
  readonly samples: Sample[] = [];

  constructor(
    private readonly call: TimedCall,
    private readonly timeoutMs: number,
  ) {}

  /** So many at a time for so long. */
  async closed(concurrency: number, durationMs: number): Promise<LoadResult> {
    const started = performance.now();
    const worker = async (): Promise<void> => {
      while (performance.now() - started < durationMs) await this.one();
    };
    await Promise.all(Array.from({ length: concurrency }, worker));
    return this.result(performance.now() - started);
  }

  /** So many per second for so long; returns when all have ended. */
  async open(perSecond: number, durationMs: number): Promise<LoadResult> {
    const started = performance.now();
    const total = (perSecond * durationMs) / 1_000;
    const calls: Promise<void>[] = [];
    while (calls.length < total) {
      const due = ((performance.now() - started) * perSecond) / 1_000;
      while (calls.length < Math.min(due, total)) calls.push(this.one());
      await pause(1);
    }
    await Promise.all(calls);
    return this.result(durationMs);
  }

  result(elapsedMs: number): LoadResult {
    const byServer: Record<string, number> = {};
    for (const { server } of this.samples) {
      if (server !== undefined) byServer[server] = (byServer[server] ?? 0) + 1;
    }
    const { length } = this.samples;
    return {
      calls: length,
      failed: this.samples.filter(({ server }) => server === undefined).length,
      perSecond: (length * 1_000) / elapsedMs,
      byServer,
      p99Ms: quantile(
        this.samples.map(({ latencyMs }) => latencyMs),
        0.99,
      ),
    };
  }

  private async one(): Promise<void> {
    const startedMs = performance.now();
    const server = await this.call({ timeoutMs: this.timeoutMs }).catch(() => undefined);
    this.samples.push({ startedMs, latencyMs: performance.now() - startedMs, server });
  }
}

/** Calls until every one of so many servers has answered. */
export async function warmUp(call: TimedCall, servers: number): Promise<void> {
  const seen = new Set<string>();
  while (seen.size < servers) seen.add(await call({ timeoutMs: 5_000 }).catch(() => ''));
  await Promise.all(Array.from({ length: 300 }, () => call({ timeoutMs: 5_000 })));
}
