import { expect, it } from 'vitest';
import { isTextMetadataKey } from '../../../lib/grpc/metadata-key.js';

it.each(['tenant', 'x-user.id_2', '7', 'grpc', 'bin', 'x-grpc-id', '-binary'])(
  'callers can set the metadata key "%s" to a text',
  (key) => {
    expect(isTextMetadataKey(key)).toBe(true);
  },
);

it.each(['', 'Tenant', 'a b', 'a:b', 'ä', 'grpc-timeout', 'trace-bin', 'grpc-trace-bin', 'a\n'])(
  'callers cannot set the metadata key %j to a text',
  (key) => {
    expect(isTextMetadataKey(key)).toBe(false);
  },
);
