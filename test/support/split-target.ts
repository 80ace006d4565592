import type { TargetUri } from '../../lib/core/target.js';

/** Splits a dial target as grpc-js does: `parseUri` of its `uri-parser`, whose expression this is. */
export function splitTarget(target: string): TargetUri {
  const match = /^(?:([A-Za-z0-9+.-]+):)?(?:\/\/([^/]*)\/)?(.+)$/.exec(target);
  const [, scheme, authority, path = ''] = match ?? [];
  return {
    ...(scheme === undefined ? {} : { scheme }),
    ...(authority === undefined ? {} : { authority }),
    path,
  };
}
