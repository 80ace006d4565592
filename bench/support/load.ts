/** Makes calls as fast as answers come, or at a fixed rate; counts and times them. */
import { setTimeout as pause } from 'node:timers/promises';
import type { TimedCall } from './balanced-fleet.js';
import { quantile } from './statistics.js';

/** The result of a load. */
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

/** A running load, which counts call by call. */
export class Load {
  readonly samples: Sample[] = [];

  constructor(
    private readonly call: TimedCall,
    private readonly timeoutMs: number,
  ) {}

  /** Keeps `concurrency` calls under way for `durationMs`. */
  async closed(concurrency: number, durationMs: number): Promise<LoadResult> {
    const started = performance.now();
    const worker = async (): Promise<void> => {
      while (performance.now() - started < durationMs) await this.one();
    };
    await Promise.all(Array.from({ length: concurrency }, worker));
    return this.result(performance.now() - started);
  }

  /** Sends `perSecond` calls a second for `durationMs`; resolves when all have ended. */
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

/** Makes calls until each of `servers` servers has answered. */
export async function warmUp(call: TimedCall, servers: number): Promise<void> {
  const seen = new Set<string>();
  while (seen.size < servers) seen.add(await call({ timeoutMs: 5_000 }).catch(() => ''));
  await Promise.all(Array.from({ length: 300 }, () => call({ timeoutMs: 5_000 })));
}
