/** The keys that {@link isTextMetadataKey} accepts, in words for an error. */
export const TEXT_METADATA_KEY =
  'a metadata key of a-z, 0-9, "_", "-" and ".", without "grpc-" at its beginning or "-bin" at its end';

/**
 * Whether callers can set a metadata key to a text: such keys are lower-case; keys that begin with `grpc-`
 * are gRPC's own, and keys that end with `-bin` hold bytes. Source: grpc/doc/PROTOCOL-HTTP2.md.
 */
export function isTextMetadataKey(key: string): boolean {
  return /^[0-9a-z_.-]+$/.test(key) && !key.startsWith('grpc-') && !key.endsWith('-bin');
}
