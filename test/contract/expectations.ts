/** Replies and refusals that the cases expect. */
import type { Refusal } from './raw-client.js';

/** The header of a reply `n` revisions after the start of the case. */
export const header = (n: number): object => ({ revision: `+${n}` });

/** A key with its value and revisions, as a reply shows it. */
export const kv = (
  key: string,
  value: string,
  create: number,
  mod: number,
  version: number,
): object => ({
  key,
  ...(value === '' ? {} : { value }),
  create_revision: `+${create}`,
  mod_revision: `+${mod}`,
  version,
});

/** A refusal by etcd, with its status code and text. */
export const refused = (code: string, text: string): Refusal => ({
  code,
  details: `etcdserver: ${text}`,
});

/** A refusal by etcd of an invalid request. */
export const invalid = (text: string): Refusal => refused('INVALID_ARGUMENT', text);

export const compacted = refused('OUT_OF_RANGE', 'mvcc: required revision has been compacted');
export const future = refused('OUT_OF_RANGE', 'mvcc: required revision is a future revision');
export const leaseNotFound = refused('NOT_FOUND', 'requested lease not found');
