/**
 * The methods of etcd's Cluster, Maintenance and Auth services that a single member for development needs.
 */
import { status } from '@grpc/grpc-js';
import type { AuthBook } from '../store/auth-book.js';
import { EtcdError, refusal } from '../wire/etcd-error.js';
import { type Member, RAFT_TERM } from '../member.js';
import type { ServiceGate, ServiceMethodsServed, UnaryMethod } from './service-gate.js';
import type { AuthenticateRequest } from '../wire/wire-messages.js';

/**
 * The version that `Status` returns: the version of etcd whose behaviour this server follows, with a suffix
 * that says that the server is not etcd itself.
 */
const EMBEDDED_VERSION = '3.6.0-embedded';

/** The Cluster service: MemberList. */
export function clusterService(
  member: Member,
  clientUrls: () => readonly string[],
): ServiceMethodsServed {
  return {
    MemberList: served(() => ({
      header: member.header(0),
      members: [{ id: member.memberId, name: 'embedded', clientUrls: clientUrls() }],
    })),
  };
}

/** The Maintenance service: Status, and Alarm for listing alarms, of which there are none. */
export function maintenanceService(member: Member, gate: ServiceGate): ServiceMethodsServed {
  return {
    Status: served(() => {
      const bytes = storedBytes(member);
      const { revision } = member.store;
      return {
        header: member.header(),
        version: EMBEDDED_VERSION,
        dbSize: bytes,
        dbSizeInUse: bytes,
        leader: gate.hasLeader ? member.memberId : 0,
        errors: gate.hasLeader ? [] : [refusal('noLeader').details],
        raftTerm: RAFT_TERM,
        raftIndex: revision,
        raftAppliedIndex: revision,
      };
    }),
    Alarm: served((request: { readonly action: number }) => {
      if (request.action === 0) return { header: member.header() };
      throw new EtcdError(
        status.UNIMPLEMENTED,
        'Maintenance.Alarm of this embedded etcd, which is for development and tests only, lists alarms but sets none',
      );
    }),
  };
}

/** The Auth service: Authenticate and AuthStatus. */
export function authService(member: Member, auth: AuthBook): ServiceMethodsServed {
  return {
    Authenticate: {
      open: true,
      withoutLeader: () => 'deadlineExceeded',
      reply: ({ name, password }: AuthenticateRequest) => ({
        header: member.header(),
        token: auth.authenticate(name, password),
      }),
    },
    AuthStatus: served(() => ({ header: member.header(), enabled: auth.enabled })),
  };
}

/** A method that needs no leader. */
function served<Request>(reply: (request: Request) => object): UnaryMethod {
  return { withoutLeader: () => 'serve', reply };
}

/** The bytes of all keys and values with their history, at least 1: etcdctl divides by it. */
function storedBytes(member: Member): number {
  const { versions } = member.store.content();
  return versions.reduce((sum, { key, value }) => sum + key.length + value.length, 1);
}
