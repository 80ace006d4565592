/** The messages of etcd's v3 API as this server reads and writes them. */

/** A 64-bit integer as it arrives: decimal digits, so that no lease id loses its last bits. */
export type Int64 = string;

/** A 64-bit integer as it is sent. */
type Int64Value = string | number;

/** The header of every reply. */
export interface ResponseHeader {
  readonly clusterId?: Int64Value;
  readonly memberId?: Int64Value;
  /** The revision of the store when the request was answered. */
  readonly revision: number;
  readonly raftTerm?: number;
}

/** A key and its value at one revision. */
export interface KeyValue {
  readonly key: Uint8Array;
  /** The revision that made the key; 0 for a deletion. */
  readonly createRevision: number;
  /** The revision of this change. */
  readonly modRevision: number;
  /** How many puts since the key was made; 0 for a deletion. */
  readonly version: number;
  readonly value: Uint8Array;
  /** The lease the key lives under, `'0'` for none. */
  readonly lease: Int64;
}

export interface RangeRequest {
  readonly key: Uint8Array;
  /** Absent if the client did not send it; see `openEmptyEnds`. */
  readonly rangeEnd?: Uint8Array;
  readonly limit: Int64;
  readonly revision: Int64;
  /** 0 none, 1 ascending, 2 descending. */
  readonly sortOrder: number;
  /** 0 key, 1 version, 2 create revision, 3 mod revision, 4 value. */
  readonly sortTarget: number;
  readonly serializable: boolean;
  readonly keysOnly: boolean;
  readonly countOnly: boolean;
  readonly minModRevision: Int64;
  readonly maxModRevision: Int64;
  readonly minCreateRevision: Int64;
  readonly maxCreateRevision: Int64;
}

export interface RangeResponse {
  readonly header: ResponseHeader;
  readonly kvs: readonly KeyValue[];
  readonly more: boolean;
  readonly count: number;
}

export interface PutRequest {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
  readonly lease: Int64;
  readonly prevKv: boolean;
  readonly ignoreValue: boolean;
  readonly ignoreLease: boolean;
}

export interface PutResponse {
  readonly header: ResponseHeader;
  readonly prevKv?: KeyValue | undefined;
}

export interface DeleteRangeRequest {
  readonly key: Uint8Array;
  readonly rangeEnd: Uint8Array;
  readonly prevKv: boolean;
}

export interface DeleteRangeResponse {
  readonly header: ResponseHeader;
  readonly deleted: number;
  readonly prevKvs: readonly KeyValue[];
}

/** One operation of a transaction; an empty one has no `request`. */
export type RequestOp =
  | { readonly request: 'requestRange'; readonly requestRange: RangeRequest }
  | { readonly request: 'requestPut'; readonly requestPut: PutRequest }
  | { readonly request: 'requestDeleteRange'; readonly requestDeleteRange: DeleteRangeRequest }
  | { readonly request: 'requestTxn'; readonly requestTxn: TxnRequest }
  | { readonly request?: undefined };

export type ResponseOp =
  | { readonly responseRange: RangeResponse }
  | { readonly responsePut: PutResponse }
  | { readonly responseDeleteRange: DeleteRangeResponse }
  | { readonly responseTxn: TxnResponse };

export interface Compare {
  /** 0 equal, 1 greater, 2 less, 3 not equal. */
  readonly result: number;
  /** 0 version, 1 create revision, 2 mod revision, 3 value, 4 lease. */
  readonly target: number;
  readonly key: Uint8Array;
  /** Absent if the client did not send it; see `openEmptyEnds`. */
  readonly rangeEnd?: Uint8Array;
  readonly version?: Int64;
  readonly createRevision?: Int64;
  readonly modRevision?: Int64;
  readonly value?: Uint8Array;
  readonly lease?: Int64;
}

export interface TxnRequest {
  readonly compare: readonly Compare[];
  readonly success: readonly RequestOp[];
  readonly failure: readonly RequestOp[];
}

export interface TxnResponse {
  readonly header: ResponseHeader;
  readonly succeeded: boolean;
  readonly responses: readonly ResponseOp[];
}

export interface CompactionRequest {
  readonly revision: Int64;
}

export interface WatchCreateRequest {
  readonly key: Uint8Array;
  readonly rangeEnd: Uint8Array;
  readonly startRevision: Int64;
  readonly progressNotify: boolean;
  /** 0 leaves puts out, 1 leaves deletions out. */
  readonly filters: readonly number[];
  readonly prevKv: boolean;
  readonly watchId: Int64;
  readonly fragment: boolean;
}

/** A message of a client on a watch stream; an empty one has no `requestUnion`. */
export type WatchRequest =
  | { readonly requestUnion: 'createRequest'; readonly createRequest: WatchCreateRequest }
  | { readonly requestUnion: 'cancelRequest'; readonly cancelRequest: { readonly watchId: Int64 } }
  | { readonly requestUnion: 'progressRequest' }
  | { readonly requestUnion?: undefined };

/** One change as a watcher sees it. */
export interface WatchEvent {
  /** 0 put, 1 deletion. */
  readonly type: 0 | 1;
  readonly kv: KeyValue;
  readonly prevKv?: KeyValue | undefined;
}

export interface WatchResponse {
  readonly header: ResponseHeader;
  readonly watchId: Int64Value;
  readonly created?: boolean;
  readonly canceled?: boolean;
  readonly compactRevision?: number;
  readonly cancelReason?: string;
  readonly fragment?: boolean;
  readonly events?: readonly WatchEvent[];
}

export interface LeaseGrantRequest {
  readonly ttl: Int64;
  readonly id: Int64;
}

export interface LeaseIdRequest {
  readonly id: Int64;
}

export interface LeaseTimeToLiveRequest {
  readonly id: Int64;
  readonly keys: boolean;
}

export interface AuthenticateRequest {
  readonly name: string;
  readonly password: string;
}
