/**
 * How gRPC makes the attempts of a call, where grpc-js has no way to say so: methods of its `RetryingCall` are replaced, for calls of
 * ours alone. Beside `grpc-experimental.ts` the only file that depends on what grpc-js does not promise.
 */
import { RetryingCall } from '@grpc/grpc-js/build/src/retrying-call.js';

/** Under this key a config selector marks the calls that are its own, and so ours. */
export const OWN_CALL = Symbol('nestjs_grpc_discovery_own_call');

/** What a call config may carry of it. */
export interface OwnCallMark {
  readonly [OWN_CALL]: true;
}

/** The part of grpc-js's `RetryingCall` this file relies on. */
interface AttemptingCall {
  readonly callConfig: Partial<OwnCallMark>;
  readonly maxAttempts: number;
  readonly underlyingCalls: readonly { readonly call: { getPeer(): string } }[];
  getDeadlineInfo(): string[];
}

/** Methods that are replaced, and fields that are read: a release without one of these does not fit. */
const REQUIRED_METHODS = ['getDeadlineInfo'] as const;
const REQUIRED_FIELDS = ['callConfig', 'maxAttempts', 'underlyingCalls'] as const;

/** What grpc-js's `RetryingCall` lacks of that, by name; nothing where it fits. */
export function missingFromAttempts(type: typeof RetryingCall = RetryingCall): string[] {
  const prototype: unknown = type?.prototype;
  const methods = REQUIRED_METHODS.filter(
    (name) => typeof (prototype as Partial<AttemptingCall> | undefined)?.[name] !== 'function',
  );
  if (methods.length > 0) return methods.map((name) => `RetryingCall.${name}`);
  // A call that is never started: the constructor only keeps what it is given.
  const call: object = Reflect.construct(type, [
    { getOptions: () => ({}) },
    { methodConfig: { name: [] } },
  ]);
  return REQUIRED_FIELDS.filter((name) => !(name in call)).map((name) => `RetryingCall.${name}`);
}

let isGoverned = false;

/** Replaces the methods, once per process. Calls of other channels go on as before. */
export function governAttempts(): void {
  if (isGoverned) return;
  isGoverned = true;
  const calls = RetryingCall.prototype as unknown as AttemptingCall;
  const { getDeadlineInfo } = calls;
  calls.getDeadlineInfo = function (this: AttemptingCall): string[] {
    const known = getDeadlineInfo.call(this);
    return this.callConfig[OWN_CALL] === true ? withAttempts(this, known) : known;
  };
}

/** How many attempts there were and where they went: grpc-js counts the earlier ones, and names the last one's address. */
function withAttempts({ underlyingCalls, maxAttempts }: AttemptingCall, known: string[]): string[] {
  const peers = underlyingCalls.map(({ call }) => call.getPeer());
  const others = known.filter((text) => !text.startsWith('previous attempts:'));
  return [`attempts: ${peers.length} of ${maxAttempts} (${peers.join(' ')})`, ...others];
}
