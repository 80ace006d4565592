/** Reports again and again how busy this process is: its CPU in one second, its longest stall in the next. */
import { setTimeout as pause } from 'node:timers/promises';

/** How long CPU and stalls are measured at a time, in milliseconds. */
const MEASURE_MS = 1_000;
/** How often the event loop is checked for stalls, in milliseconds. */
const LOOK_MS = 5;

/**
 * Prints `{ event: 'tick', cpuPercent, stallMs }` every two seconds as long as the process lives. The process
 * ends when its standard input closes. CPU and stalls are measured in turns, because 200 checks a second cost
 * 3 % of a core by themselves.
 */
export async function tellBusyTicks(): Promise<never> {
  process.stdin.on('end', () => process.exit(0)).resume();
  for (;;) {
    const cpuPercent = await measureCpu();
    const stallMs = await longestStall();
    process.stdout.write(`${JSON.stringify({ event: 'tick', cpuPercent, stallMs })}\n`);
  }
}

/** How much of one core this process uses during one measurement, in per cent. */
async function measureCpu(): Promise<number> {
  const [startedAt, before] = [performance.now(), process.cpuUsage()];
  await pause(MEASURE_MS);
  return (usedSince(before) / (performance.now() - startedAt)) * 100;
}

/** The longest time for which the event loop did not turn during one measurement, in milliseconds. */
async function longestStall(): Promise<number> {
  const startedAt = performance.now();
  let stallMs = 0;
  for (let lookedAt = startedAt; lookedAt - startedAt < MEASURE_MS;) {
    const before = process.cpuUsage();
    await pause(LOOK_MS);
    const now = performance.now();
    // Time for which other processes had the core is no stall of this process.
    stallMs = Math.max(stallMs, Math.min(now - lookedAt - LOOK_MS, usedSince(before)));
    lookedAt = now;
  }
  return stallMs;
}

/** User and system time since an earlier measurement, in milliseconds. */
function usedSince(before: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1_000;
}
