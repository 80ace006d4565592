/** Makes many calls of `User.Login` at a time with any client, and measures what they cost. */
import type { Observable } from 'rxjs';

export interface UserRequest {
  readonly name: string;
  readonly password: string;
}

export interface UserResponse {
  readonly message: string;
  readonly server: string;
}

/** The `User` service as Nest's clients declare it. */
export interface UserClient {
  login(request: UserRequest): Observable<UserResponse>;
}

/** One call from start to answer. */
export type Call = () => Promise<UserResponse>;

/** The cost of a number of calls. */
export interface Cost {
  readonly callsPerSecond: number;
  /** CPU time of this process, user and system, per call, in microseconds. */
  readonly cpuMicros: number;
}

/** Makes `total` calls, `concurrency` at a time, and measures their cost. */
export async function measureCalls(
  call: () => Promise<unknown>,
  total: number,
  concurrency: number,
): Promise<Cost> {
  let left = total;
  const worker = async (): Promise<void> => {
    while (left > 0) {
      left -= 1;
      await call();
    }
  };
  const cpu = process.cpuUsage();
  const started = process.hrtime.bigint();
  await Promise.all(Array.from({ length: concurrency }, worker));
  const seconds = Number(process.hrtime.bigint() - started) / 1e9;
  const { user, system } = process.cpuUsage(cpu);
  return { callsPerSecond: total / seconds, cpuMicros: (user + system) / total };
}
