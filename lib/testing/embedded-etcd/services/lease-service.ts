/** etcd's Lease service on a member. */
import type { AuthBook } from '../store/auth-book.js';
import { fromByteKey } from '../store/byte-range.js';
import { type Refusal, refusal } from '../wire/etcd-error.js';
import type { Member } from '../member.js';
import {
  type DuplexCall,
  type ServiceGate,
  type ServiceMethodsServed,
  endWith,
} from './service-gate.js';
import type {
  LeaseGrantRequest,
  LeaseIdRequest,
  LeaseTimeToLiveRequest,
} from '../wire/wire-messages.js';

const write = (): Refusal => 'deadlineExceeded';

/** The Lease service: LeaseGrant, LeaseRevoke, LeaseKeepAlive, LeaseTimeToLive and LeaseLeases. */
export function leaseService(
  member: Member,
  auth: AuthBook,
  gate: ServiceGate,
): ServiceMethodsServed {
  return {
    LeaseGrant: {
      withoutLeader: write,
      reply(request: LeaseGrantRequest) {
        const { id, ttlSeconds } = member.leases.grant(Number(request.ttl), request.id);
        return { header: member.header(), id, ttl: ttlSeconds };
      },
    },
    LeaseRevoke: {
      withoutLeader: write,
      reply(request: LeaseIdRequest) {
        member.leases.revoke(request.id);
        return { header: member.header() };
      },
    },
    LeaseTimeToLive: {
      withoutLeader: () => 'noLeader',
      reply(request: LeaseTimeToLiveRequest) {
        const header = member.header();
        const lease = member.leases.find(request.id);
        if (lease === undefined) return { header, id: request.id, ttl: -1 };
        return {
          header,
          id: lease.id,
          ttl: member.leases.remainingSeconds(lease),
          grantedTtl: lease.ttlSeconds,
          keys: request.keys ? [...lease.keys].sort().map(fromByteKey) : [],
        };
      },
    },
    LeaseLeases: {
      withoutLeader: () => 'serve',
      reply: () => ({
        header: member.header(),
        leases: member.leases.all().map(({ id }) => ({ id })),
      }),
    },
    LeaseKeepAlive: (call) => serveKeepAlives(call, member, auth, gate),
  };
}

/**
 * Answers each request of the stream in turn; the answer for a lease that does not exist has a time to live
 * of 0.
 */
function serveKeepAlives(
  call: DuplexCall,
  member: Member,
  auth: AuthBook,
  gate: ServiceGate,
): void {
  let open = true;
  const close = (): void => {
    open = false;
  };
  const answer = (id: string, hasLeader: boolean): void => {
    if (!open) return;
    try {
      if (!hasLeader) throw refusal('noLeader');
      auth.check(call.metadata);
      call.write({ header: member.header(), id, ttl: member.leases.keepAlive(id) });
    } catch (error) {
      endWith(call, error);
    }
  };
  call.on('data', ({ id }: LeaseIdRequest) => gate.whenLeader((has) => answer(id, has)));
  call.on('end', () => {
    close();
    call.end();
  });
  call.on('cancelled', close);
  call.on('error', close);
}
