/** Makes the text of a snapshot file in pieces: one text of 50,000 records would block the event loop. */
import { encodeEndpoint } from '../../core/records/endpoint-codec.js';
import type { Endpoint } from '../../core/records/endpoint.js';
import type { Snapshot } from '../../core/snapshot/snapshot.js';

/** One record as the file holds it: Go's JSON, as in the registry, and its incarnation. */
export interface StoredRecord {
  readonly value: string;
  readonly lease?: string;
}

/**
 * The list of one service, and when a registry confirmed it, in milliseconds since 1970. The list is either
 * records from the file or a function that reads the current list.
 */
export type KeptList = { readonly savedAt: number } & (
  | { readonly records: Readonly<Record<string, StoredRecord>> }
  | { readonly current: () => Snapshot }
);

/** The approximate length of a piece, in characters. */
const PIECE_LENGTH = 65_536;

/**
 * Makes the document as JSON, piece by piece: its head, every list, its end. A list is read when its turn
 * comes.
 *
 * @param head the members of the document before `services`
 */
export function* snapshotText(
  head: Readonly<Record<string, unknown>>,
  lists: ReadonlyMap<string, KeptList>,
): Generator<string> {
  const entries = Object.entries(head).map((entry) => `${entry.map(toJson).join(':')},`);
  let text = `{${entries.join('')}"services":{`;
  let before = '';
  for (const [service, list] of lists) {
    text += `${before}${toJson(service)}:{"savedAt":${list.savedAt},"records":{`;
    before = '';
    for (const [key, record] of recordTexts(list)) {
      text += `${before}${toJson(key)}:${record}`;
      before = ',';
      if (text.length < PIECE_LENGTH) continue;
      yield text;
      text = '';
    }
    text += '}}';
    before = ',';
  }
  yield `${text}}}`;
}

function* recordTexts(list: KeptList): Generator<[key: string, record: string]> {
  if ('records' in list) {
    for (const [key, record] of Object.entries(list.records)) yield [key, toJson(record)];
    return;
  }
  for (const [key, endpoint] of list.current()) yield [key, recordText(endpoint)];
}

/** Endpoint objects never change, so each is encoded once, however often its list is written. */
const encoded = new WeakMap<Endpoint, string>();

function recordText(endpoint: Endpoint): string {
  const known = encoded.get(endpoint);
  if (known !== undefined) return known;
  const { incarnation: lease } = endpoint;
  const record: StoredRecord = {
    value: encodeEndpoint(endpoint),
    ...(lease === undefined ? {} : { lease }),
  };
  const text = toJson(record);
  encoded.set(endpoint, text);
  return text;
}

function toJson(value: unknown): string {
  return JSON.stringify(value);
}
