/** The status codes after which gRPC makes another attempt of a call, read from the call's method config. */
import { type ServiceConfig, status } from '@grpc/grpc-js';

type MethodConfig = ServiceConfig['methodConfig'][number];

/**
 * The status codes as numbers, however the config writes them; `undefined`: the call has one attempt only.
 */
export function retriedCodes({
  retryPolicy,
  hedgingPolicy,
}: MethodConfig): ReadonlySet<status> | undefined {
  if (retryPolicy === undefined && hedgingPolicy === undefined) return undefined;
  const list = retryPolicy?.retryableStatusCodes ?? hedgingPolicy?.nonFatalStatusCodes ?? [];
  return new Set(list.flatMap((code) => (typeof code === 'number' ? code : codeOf(code))));
}

/** The number of a status code; gRPC accepts names in upper and lower case. */
function codeOf(name: string): status | [] {
  return (status as unknown as Readonly<Record<string, status>>)[name.toUpperCase()] ?? [];
}
