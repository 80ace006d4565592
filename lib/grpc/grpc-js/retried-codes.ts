/** The status codes after which gRPC makes another attempt of a call, read from the method config that the call goes by. */
import { type ServiceConfig, status } from '@grpc/grpc-js';

type MethodConfig = ServiceConfig['methodConfig'][number];

/** Status codes as numbers, whichever way the config writes them; `undefined`: the call has one attempt only. */
export function retriedCodes({
  retryPolicy,
  hedgingPolicy,
}: MethodConfig): ReadonlySet<status> | undefined {
  if (retryPolicy === undefined && hedgingPolicy === undefined) return undefined;
  const list = retryPolicy?.retryableStatusCodes ?? hedgingPolicy?.nonFatalStatusCodes ?? [];
  return new Set(list.flatMap((code) => (typeof code === 'number' ? code : codeOf(code))));
}

/** gRPC takes names of any case. */
function codeOf(name: string): status | [] {
  return (status as unknown as Readonly<Record<string, status>>)[name.toUpperCase()] ?? [];
}
