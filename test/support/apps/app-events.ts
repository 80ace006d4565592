/**
 * What every child app has: events as lines of JSON on standard output, and an end when the test process is
 * gone.
 */

/** Prints one event for the test that started this process. */
export function emit(event: string, fields: Readonly<Record<string, unknown>> = {}): void {
  process.stdout.write(`${JSON.stringify({ event, ...fields })}\n`);
}

/** A setting from the environment. */
export function setting(name: string, fallback?: string): string {
  const value = process.env[name] ?? fallback;
  if (value === undefined) throw new Error(`the environment variable ${name} is not set`);
  return value;
}

/** A setting that is JSON; `undefined` where there is none. */
export function jsonSetting<T>(name: string): T | undefined {
  const text = process.env[name];
  return text === undefined || text === '' ? undefined : (JSON.parse(text) as T);
}

/** A setting that is a number; `undefined` where there is none. */
export function numberSetting(name: string): number | undefined {
  const text = process.env[name];
  return text === undefined || text === '' ? undefined : Number(text);
}

/**
 * Ends this process by SIGTERM once standard input closes, which happens when the test process ends in
 * whatever way. Does not keep the process alive by itself, so that a test can see whether the app does.
 */
export function endWithTestProcess(): void {
  process.stdin.on('end', () => process.kill(process.pid, 'SIGTERM'));
  process.stdin.resume();
  (process.stdin as { unref?: () => void }).unref?.();
}

/** What the process holds: megabytes of heap, active handles and requests, and the TCP sockets among them. */
export function resources(): { heapMb: number; handles: number; sockets: number } {
  const active = process.getActiveResourcesInfo();
  return {
    heapMb: process.memoryUsage().heapUsed / 2 ** 20,
    handles: active.length,
    sockets: active.filter((name) => name === 'TCPSocketWrap').length,
  };
}
