/** Replies and refusals as the cases expect them. */
import type { Refusal } from './raw-client.js';

/** The head of a reply made `n` revisions after the start of the case. */
export const header = (n: number): object => ({ revision: `+${n}` });

/** A key as a reply shows it. */
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

/** A refusal of etcd. */
export const refused = (code: string, text: string): Refusal => ({
  code,
  details: `etcdserver: ${text}`,
});

/** A refusal of a wrong request. */
export const invalid = (text: string): Refusal => refused('INVALID_ARGUMENT', text);

export const compacted = refused('OUT_OF_RANGE', 'mvcc: required revision has been compacted');
export const future = refused('OUT_OF_RANGE', 'mvcc: required revision is a future revision');
export const leaseNotFound = refused('NOT_FOUND', 'requested lease not found');
