/** Records that Go wrote and listed, from `test/fixtures/go-endpoints`. */
import { readdirSync, readFileSync } from 'node:fs';
import type { JsonValue } from '../../../lib/core/records/endpoint.js';

/** One key and its value in etcd. */
export interface GoldenRecord {
  readonly name: string;
  readonly service: string;
  readonly key: string;
  readonly value: string;
  readonly valueBase64: string;
}

/** An endpoint as Go's `endpoints.Manager.List` returns it. */
export interface GoEndpoint {
  readonly Addr: string;
  readonly Metadata: JsonValue;
}

/** What one Go program wrote: the content of etcd after its calls, and Go's own list of it. */
export interface GoldenFile {
  readonly name: string;
  readonly kvs: readonly Omit<GoldenRecord, 'name' | 'service'>[];
  readonly goList: Readonly<Record<string, GoEndpoint>>;
}

/** A value that Go's decoder was given, and whether it accepted the value. */
export interface DecodeCase {
  readonly name: string;
  readonly valueBase64: string;
  readonly accepted: boolean;
  readonly Addr?: string;
  readonly Metadata?: JsonValue;
  /** What Go writes for the endpoint that it read, without `Op`. */
  readonly reencoded?: string;
}

const folder = new URL('../../fixtures/go-endpoints/', import.meta.url);

/** Reads one fixture of `test/fixtures/go-endpoints`. */
export function readGolden<T>(file: string): T {
  return JSON.parse(readFileSync(new URL(file, folder), 'utf8')) as T;
}

/** The records that `INDEX.json` lists. */
export function goldenRecords(): readonly GoldenRecord[] {
  return readGolden<readonly GoldenRecord[]>('INDEX.json');
}

/** Every file that has keys and Go's own list of them. */
export function goldenFiles(): readonly GoldenFile[] {
  return readdirSync(folder)
    .filter((file) => file.endsWith('.json') && file !== 'INDEX.json')
    .map((file) => ({ name: file, ...readGolden<Partial<GoldenFile>>(file) }))
    .filter((file): file is GoldenFile => file.kvs !== undefined && file.goList !== undefined);
}
