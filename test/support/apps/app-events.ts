/**
 * What every child app needs: it prints events as lines of JSON on its standard output, and ends when the
 * test process has ended.
 */

/** Prints one event for the test that started this process. */
export function emit(event: string, fields: Readonly<Record<string, unknown>> = {}): void {
  process.stdout.write(`${JSON.stringify({ event, ...fields })}\n`);
}

/** Reads a setting from the environment. */
export function setting(name: string, fallback?: string): string {
  const value = process.env[name] ?? fallback;
  if (value === undefined) throw new Error(`the environment variable ${name} is not set`);
  return value;
}

/** Reads a setting that is JSON; `undefined` if it is not set. */
export function jsonSetting<T>(name: string): T | undefined {
  const text = process.env[name];
  return text === undefined || text === '' ? undefined : (JSON.parse(text) as T);
}

/** Reads a setting that is a number; `undefined` if it is not set. */
export function numberSetting(name: string): number | undefined {
  const text = process.env[name];
  return text === undefined || text === '' ? undefined : Number(text);
}

/**
 * Ends this process by SIGTERM once its standard input closes, which happens however the test process ends.
 * The input does not keep this process alive, so that a test can see whether the app does.
 */
export function endWithTestProcess(): void {
  process.stdin.on('end', () => process.kill(process.pid, 'SIGTERM'));
  process.stdin.resume();
  (process.stdin as { unref?: () => void }).unref?.();
}

/**
 * The memory and the handles of this process: megabytes of heap, active handles and requests, and how many of
 * the handles are TCP sockets.
 */
export function resources(): { heapMb: number; handles: number; sockets: number } {
  const active = process.getActiveResourcesInfo();
  return {
    heapMb: process.memoryUsage().heapUsed / 2 ** 20,
    handles: active.length,
    sockets: active.filter((name) => name === 'TCPSocketWrap').length,
  };
}
