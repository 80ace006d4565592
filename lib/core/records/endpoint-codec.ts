/**
 * The record format of Go's `go.etcd.io/etcd/client/v3/naming/endpoints`:
 * `{"Op":0,"Addr":"host:port","Metadata":null}`. This library reads what Go writes and rejects what Go
 * rejects, and Go reads what this library writes. It adds one field, `Discovery`, which Go ignores.
 */
import { type DiscoveryFields, readDiscovery } from './discovery-fields.js';
import type { Endpoint, JsonValue } from './endpoint.js';
import { encodeGoJson, MAX_JSON_NESTING } from './go-json.js';
import { endOfString, hasFiniteNumbers, isTooDeep, wellFormedJson } from './go-json-source.js';
import { decodeGoUtf8 } from './go-utf8.js';

/** An endpoint, or why the value is not a record. */
type DecodedEndpoint =
  | { readonly ok: true; readonly endpoint: Endpoint }
  | { readonly ok: false; readonly reason: string };

/**
 * The value that Go's `endpoints.Manager` writes for this endpoint, byte for byte; `discovery`, if there is
 * any, follows as one more field. Invalid fields of `discovery` are left out.
 *
 * @throws DiscoveryError `INVALID_RECORD` when the metadata has no JSON form
 */
export function encodeEndpoint(endpoint: Endpoint): string {
  const { address, metadata, discovery } = endpoint;
  const plain = `{"Op":0,"Addr":${encodeGoJson(address)},"Metadata":${encodeGoJson(metadata)}`;
  return discovery === undefined
    ? `${plain}}`
    : `${plain}${DISCOVERY}${encodeDiscovery(discovery)}}`;
}

function encodeDiscovery(discovery: DiscoveryFields): string {
  const fields = Object.entries(readDiscovery(discovery) ?? {});
  return `{${fields.map(([name, value]) => `"${name}":${encodeGoJson(value)}`).join()}}`;
}

/**
 * Reads a value as Go's `json.Unmarshal` into `endpoints.Endpoint` does: `Op` is checked and ignored, unknown
 * fields are ignored, names match in any case and the last of several wins, a missing `Addr` is `""`. Each
 * byte of invalid UTF-8 and each lone surrogate becomes U+FFFD.
 * `Discovery` never makes a record invalid, as in Go: if it is not an object, it counts as absent.
 */
export function decodeEndpoint(value: Uint8Array | string): DecodedEndpoint {
  const text = wellFormedJson(typeof value === 'string' ? value : decodeGoUtf8(value));
  return decodePlain(text) ?? decodeAny(text);
}

/** The text between metadata and `Discovery` in the records that `encodeEndpoint` writes. */
const DISCOVERY = ',"Discovery":';

/** The usual form of a record up to its metadata, as `encodeEndpoint` and Go write it, without escapes. */
const PLAIN = /^\{"Op":[01],"Addr":"([^"\\\p{Cc}\p{Cs}]*)","Metadata":/u;

/** Reads a record in the usual form, many times faster than `decodeAny`. Returns `undefined` for others. */
function decodePlain(text: string): DecodedEndpoint | undefined {
  const [head, address] = PLAIN.exec(text) ?? [];
  if (head === undefined || address === undefined || !text.endsWith('}')) return undefined;
  const source = text.slice(head.length, -1);
  if (source === 'null') return { ok: true, endpoint: { address, metadata: null } };
  const split = source.lastIndexOf(DISCOVERY);
  try {
    // If both parts parse, each as one JSON value, then the object has no further member, and `DISCOVERY` was
    // not found inside of a value.
    const metadataSource = split < 0 ? source : source.slice(0, split);
    const metadata = JSON.parse(metadataSource) as JsonValue;
    const added: unknown =
      split < 0 ? undefined : JSON.parse(source.slice(split + DISCOVERY.length));
    const isPlain = hasFiniteNumbers(metadataSource) && !isTooDeep(text);
    return isPlain ? valid(address, metadata, readDiscovery(added)) : undefined;
  } catch {
    return undefined;
  }
}

function decodeAny(text: string): DecodedEndpoint {
  let root: unknown;
  try {
    root = JSON.parse(text);
  } catch (error) {
    return invalid(`it is not JSON (${error instanceof Error ? error.message : String(error)})`);
  }
  if (isTooDeep(text)) return invalid(`it is nested deeper than ${MAX_JSON_NESTING} levels`);
  if (root === null) return { ok: true, endpoint: { address: '', metadata: null } };
  if (typeof root !== 'object' || Array.isArray(root)) return invalid('it is not a JSON object');

  let address = '';
  let metadata: JsonValue = null;
  let discovery: DiscoveryFields | undefined;
  for (const [name, source] of topLevelMembers(text)) {
    switch (name.toLowerCase()) {
      case 'op':
        if (!isGoUint8(source))
          return invalid(`Op is ${clip(source)}; allowed: an integer from 0 to 255`);
        break;
      case 'addr': {
        const parsed: unknown = JSON.parse(source);
        if (typeof parsed !== 'string' && parsed !== null) {
          return invalid(`Addr is ${clip(source)}; allowed: a string`);
        }
        // As in Go, a `null` leaves the address as it was.
        if (parsed !== null) address = parsed;
        break;
      }
      case 'metadata': {
        if (!hasFiniteNumbers(source)) return invalid('Metadata holds a number out of range');
        metadata = JSON.parse(source) as JsonValue;
        break;
      }
      case 'discovery':
        discovery = readDiscovery(JSON.parse(source));
        break;
      default:
    }
  }
  return valid(address, metadata, discovery);
}

function valid(
  address: string,
  metadata: JsonValue,
  discovery: DiscoveryFields | undefined,
): DecodedEndpoint {
  const added = discovery === undefined ? {} : { discovery };
  return { ok: true, endpoint: { address, metadata, ...added } };
}

function invalid(reason: string): DecodedEndpoint {
  return { ok: false, reason };
}

/**
 * The beginning of a value, for the text of a reason. Reasons are logged and kept in memory, so they are
 * short.
 */
function clip(source: string): string {
  return source.length > MAX_QUOTED_CHARACTERS
    ? `${source.slice(0, MAX_QUOTED_CHARACTERS)}…`
    : source;
}

const MAX_QUOTED_CHARACTERS = 100;

function isGoUint8(source: string): boolean {
  return source === 'null' || (/^\d+$/.test(source) && Number(source) <= 255);
}

/**
 * Names and source texts of the members of a JSON object, in order and with duplicates, which `JSON.parse`
 * does not report. Precondition: `text` is a valid JSON object.
 */
function* topLevelMembers(text: string): Generator<[name: string, source: string]> {
  let depth = 0;
  let start = -1;
  let name: string | undefined;
  for (let index = 0; index < text.length; index++) {
    const character = text[index];
    if (character === '"') {
      const from = index;
      index = endOfString(text, index);
      if (depth === 1 && name === undefined)
        name = JSON.parse(text.slice(from, index + 1)) as string;
    } else if (character === ':' && depth === 1) {
      start = index + 1;
    } else if (character === '{' || character === '[') {
      depth++;
    } else if (character === '}' || character === ']' || (character === ',' && depth === 1)) {
      const ends = depth === 1;
      if (character !== ',') depth--;
      if (ends && name !== undefined) {
        yield [name, text.slice(start, index).trim()];
        name = undefined;
      }
    }
  }
}
