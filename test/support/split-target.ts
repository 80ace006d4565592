import type { parseTarget } from '../../lib/core/target.js';

/** Splits a dial target as grpc-js does: with the regular expression of `parseUri` in its `uri-parser`. */
export function splitTarget(target: string): Parameters<typeof parseTarget>[0] {
  const match = /^(?:([A-Za-z0-9+.-]+):)?(?:\/\/([^/]*)\/)?(.+)$/.exec(target);
  const [, scheme, authority, path = ''] = match ?? [];
  return {
    ...(scheme === undefined ? {} : { scheme }),
    ...(authority === undefined ? {} : { authority }),
    path,
  };
}
