/**
 * The part of etcd's v3 gRPC API that the embedded server speaks, as data: methods, messages, field numbers.
 */
/** The services of etcd's API. */
export type ServiceName = 'KV' | 'Watch' | 'Lease' | 'Cluster' | 'Maintenance' | 'Auth';

/**
 * The fields of one message, by name. A field is `type number` or `repeated type number`; a member of a oneof
 * is `name of the oneof: type number`. The field numbers are those of etcd's `rpc.proto` and `kv.proto`. An
 * enumeration has the type `int32`, which is the same on the wire: so a value outside of the enumeration
 * arrives too, and the service that gets it can refuse it as etcd does.
 */
export type MessageFields = Readonly<Record<string, string>>;

/** Every message, by the name that the other tables use. */
export const messages: Readonly<Record<string, MessageFields>> = {
  Nothing: {},
  ResponseHeader: {
    clusterId: 'uint64 1',
    memberId: 'uint64 2',
    revision: 'int64 3',
    raftTerm: 'uint64 4',
  },
  KeyValue: {
    key: 'bytes 1',
    createRevision: 'int64 2',
    modRevision: 'int64 3',
    version: 'int64 4',
    value: 'bytes 5',
    lease: 'int64 6',
  },
  Event: { type: 'int32 1', kv: 'KeyValue 2', prevKv: 'KeyValue 3' },

  RangeRequest: {
    key: 'bytes 1',
    // In a oneof of its own, so that the decoded message shows whether an empty end was sent: etcd
    // distinguishes the two.
    rangeEnd: 'sentRangeEnd: bytes 2',
    limit: 'int64 3',
    revision: 'int64 4',
    sortOrder: 'int32 5',
    sortTarget: 'int32 6',
    serializable: 'bool 7',
    keysOnly: 'bool 8',
    countOnly: 'bool 9',
    minModRevision: 'int64 10',
    maxModRevision: 'int64 11',
    minCreateRevision: 'int64 12',
    maxCreateRevision: 'int64 13',
  },
  RangeResponse: {
    header: 'ResponseHeader 1',
    kvs: 'repeated KeyValue 2',
    more: 'bool 3',
    count: 'int64 4',
  },
  PutRequest: {
    key: 'bytes 1',
    value: 'bytes 2',
    lease: 'int64 3',
    prevKv: 'bool 4',
    ignoreValue: 'bool 5',
    ignoreLease: 'bool 6',
  },
  PutResponse: { header: 'ResponseHeader 1', prevKv: 'KeyValue 2' },
  DeleteRangeRequest: { key: 'bytes 1', rangeEnd: 'bytes 2', prevKv: 'bool 3' },
  DeleteRangeResponse: {
    header: 'ResponseHeader 1',
    deleted: 'int64 2',
    prevKvs: 'repeated KeyValue 3',
  },
  RequestOp: {
    requestRange: 'request: RangeRequest 1',
    requestPut: 'request: PutRequest 2',
    requestDeleteRange: 'request: DeleteRangeRequest 3',
    requestTxn: 'request: TxnRequest 4',
  },
  ResponseOp: {
    responseRange: 'response: RangeResponse 1',
    responsePut: 'response: PutResponse 2',
    responseDeleteRange: 'response: DeleteRangeResponse 3',
    responseTxn: 'response: TxnResponse 4',
  },
  Compare: {
    result: 'int32 1',
    target: 'int32 2',
    key: 'bytes 3',
    version: 'targetUnion: int64 4',
    createRevision: 'targetUnion: int64 5',
    modRevision: 'targetUnion: int64 6',
    value: 'targetUnion: bytes 7',
    lease: 'targetUnion: int64 8',
    rangeEnd: 'sentRangeEnd: bytes 64',
  },
  TxnRequest: {
    compare: 'repeated Compare 1',
    success: 'repeated RequestOp 2',
    failure: 'repeated RequestOp 3',
  },
  TxnResponse: {
    header: 'ResponseHeader 1',
    succeeded: 'bool 2',
    responses: 'repeated ResponseOp 3',
  },
  CompactionRequest: { revision: 'int64 1', physical: 'bool 2' },
  HeaderOnlyResponse: { header: 'ResponseHeader 1' },

  WatchRequest: {
    createRequest: 'requestUnion: WatchCreateRequest 1',
    cancelRequest: 'requestUnion: WatchCancelRequest 2',
    progressRequest: 'requestUnion: Nothing 3',
  },
  WatchCreateRequest: {
    key: 'bytes 1',
    rangeEnd: 'bytes 2',
    startRevision: 'int64 3',
    progressNotify: 'bool 4',
    filters: 'repeated int32 5',
    prevKv: 'bool 6',
    watchId: 'int64 7',
    fragment: 'bool 8',
  },
  WatchCancelRequest: { watchId: 'int64 1' },
  WatchResponse: {
    header: 'ResponseHeader 1',
    watchId: 'int64 2',
    created: 'bool 3',
    canceled: 'bool 4',
    compactRevision: 'int64 5',
    cancelReason: 'string 6',
    fragment: 'bool 7',
    events: 'repeated Event 11',
  },

  LeaseGrantRequest: { ttl: 'int64 1', id: 'int64 2' },
  LeaseGrantResponse: { header: 'ResponseHeader 1', id: 'int64 2', ttl: 'int64 3' },
  LeaseIdRequest: { id: 'int64 1' },
  LeaseKeepAliveResponse: { header: 'ResponseHeader 1', id: 'int64 2', ttl: 'int64 3' },
  LeaseTimeToLiveRequest: { id: 'int64 1', keys: 'bool 2' },
  LeaseTimeToLiveResponse: {
    header: 'ResponseHeader 1',
    id: 'int64 2',
    ttl: 'int64 3',
    grantedTtl: 'int64 4',
    keys: 'repeated bytes 5',
  },
  LeaseLeasesResponse: { header: 'ResponseHeader 1', leases: 'repeated LeaseIdRequest 2' },

  Member: {
    id: 'uint64 1',
    name: 'string 2',
    peerUrls: 'repeated string 3',
    clientUrls: 'repeated string 4',
  },
  MemberListResponse: { header: 'ResponseHeader 1', members: 'repeated Member 2' },
  AlarmRequest: { action: 'int32 1' },
  StatusResponse: {
    header: 'ResponseHeader 1',
    version: 'string 2',
    dbSize: 'int64 3',
    leader: 'uint64 4',
    raftIndex: 'uint64 5',
    raftTerm: 'uint64 6',
    raftAppliedIndex: 'uint64 7',
    errors: 'repeated string 8',
    dbSizeInUse: 'int64 9',
  },
  AuthenticateRequest: { name: 'string 1', password: 'string 2' },
  AuthenticateResponse: { header: 'ResponseHeader 1', token: 'string 2' },
  AuthStatusResponse: { header: 'ResponseHeader 1', enabled: 'bool 2' },
};

/** Methods that etcd has and this server answers with UNIMPLEMENTED. */
const notServed = (...names: string[]): ServiceMethods =>
  Object.fromEntries(names.map((name) => [name, ['Nothing', 'Nothing']]));

/** Method → its request and reply message; `stream ` marks a stream. */
export type ServiceMethods = Readonly<Record<string, readonly [string, string]>>;

/** Every service of `etcdserverpb` with its methods. */
export const services: Readonly<Record<ServiceName, ServiceMethods>> = {
  KV: {
    Range: ['RangeRequest', 'RangeResponse'],
    Put: ['PutRequest', 'PutResponse'],
    DeleteRange: ['DeleteRangeRequest', 'DeleteRangeResponse'],
    Txn: ['TxnRequest', 'TxnResponse'],
    Compact: ['CompactionRequest', 'HeaderOnlyResponse'],
  },
  Watch: { Watch: ['stream WatchRequest', 'stream WatchResponse'] },
  Lease: {
    LeaseGrant: ['LeaseGrantRequest', 'LeaseGrantResponse'],
    LeaseRevoke: ['LeaseIdRequest', 'HeaderOnlyResponse'],
    LeaseKeepAlive: ['stream LeaseIdRequest', 'stream LeaseKeepAliveResponse'],
    LeaseTimeToLive: ['LeaseTimeToLiveRequest', 'LeaseTimeToLiveResponse'],
    LeaseLeases: ['Nothing', 'LeaseLeasesResponse'],
  },
  Cluster: {
    MemberList: ['Nothing', 'MemberListResponse'],
    ...notServed('MemberAdd', 'MemberRemove', 'MemberUpdate', 'MemberPromote'),
  },
  Maintenance: {
    Status: ['Nothing', 'StatusResponse'],
    Alarm: ['AlarmRequest', 'HeaderOnlyResponse'],
    Snapshot: ['Nothing', 'stream Nothing'],
    ...notServed('Defragment', 'Hash', 'HashKV', 'MoveLeader', 'Downgrade'),
  },
  Auth: {
    Authenticate: ['AuthenticateRequest', 'AuthenticateResponse'],
    AuthStatus: ['Nothing', 'AuthStatusResponse'],
    ...notServed('AuthEnable', 'AuthDisable', 'UserAdd', 'UserGet', 'UserList', 'UserDelete'),
    ...notServed('UserChangePassword', 'UserGrantRole', 'UserRevokeRole', 'RoleAdd', 'RoleGet'),
    ...notServed('RoleList', 'RoleDelete', 'RoleGrantPermission', 'RoleRevokePermission'),
  },
};
