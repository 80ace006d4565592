/** What of etcd's Cluster, Maintenance and Auth services a single member for development has to answer. */
import { status } from '@grpc/grpc-js';
import type { AuthBook } from './auth-book.js';
import { EtcdError } from './etcd-error.js';
import { type Member, RAFT_TERM } from './member.js';
import type { ServiceMethodsServed, UnaryMethod } from './service-gate.js';
import type { AuthenticateRequest } from './wire-messages.js';

/** The version that `Status` states: the one whose behaviour this server follows, marked as not being etcd itself. */
export const EMBEDDED_VERSION = '3.6.0-embedded';

/** MemberList. */
export function clusterService(
  member: Member,
  clientUrls: () => readonly string[],
): ServiceMethodsServed {
  return {
    MemberList: open(() => ({
      header: member.header(),
      members: [{ id: member.memberId, name: 'embedded', clientUrls: clientUrls() }],
    })),
  };
}

/** Status, and Alarm as far as it asks: there never is one. */
export function maintenanceService(member: Member): ServiceMethodsServed {
  return {
    Status: open(() => ({
      header: member.header(),
      version: EMBEDDED_VERSION,
      leader: member.memberId,
      raftTerm: RAFT_TERM,
      raftIndex: member.store.revision,
      raftAppliedIndex: member.store.revision,
    })),
    Alarm: open((request: { readonly action: number }) => {
      if (request.action === 0) return { header: member.header() };
      throw new EtcdError(
        status.UNIMPLEMENTED,
        'Maintenance.Alarm of this embedded etcd, which is for development and tests only, lists alarms but sets none',
      );
    }),
  };
}

/** Authenticate and AuthStatus. */
export function authService(member: Member, auth: AuthBook): ServiceMethodsServed {
  return {
    Authenticate: open(({ name, password }: AuthenticateRequest) => ({
      header: member.header(),
      token: auth.authenticate(name, password),
    })),
    AuthStatus: open(() => ({ header: member.header(), enabled: auth.enabled })),
  };
}

/** A method that anyone may call, leader or not. */
function open<Request>(reply: (request: Request) => object): UnaryMethod {
  return { needsLeader: () => false, needsToken: false, reply };
}
