/** etcd's Lease service on a member. */
import { fromByteKey } from './byte-range.js';
import { refusal } from './etcd-error.js';
import type { Member } from './member.js';
import {
  type DuplexCall,
  type ServiceGate,
  type ServiceMethodsServed,
  endWith,
} from './service-gate.js';
import type { LeaseGrantRequest, LeaseIdRequest, LeaseTimeToLiveRequest } from './wire-messages.js';

const always = (): boolean => true;

/** LeaseGrant, LeaseRevoke, LeaseKeepAlive, LeaseTimeToLive and LeaseLeases. */
export function leaseService(member: Member, gate: ServiceGate): ServiceMethodsServed {
  return {
    LeaseGrant: {
      needsLeader: always,
      needsToken: true,
      reply(request: LeaseGrantRequest) {
        const { id, ttlSeconds } = member.leases.grant(Number(request.ttl), request.id);
        return { header: member.header(), id, ttl: ttlSeconds };
      },
    },
    LeaseRevoke: {
      needsLeader: always,
      needsToken: true,
      reply(request: LeaseIdRequest) {
        member.leases.revoke(request.id);
        return { header: member.header() };
      },
    },
    LeaseTimeToLive: {
      needsLeader: always,
      needsToken: true,
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
      needsLeader: () => false,
      needsToken: true,
      reply: () => ({
        header: member.header(),
        leases: member.leases.all().map(({ id }) => ({ id })),
      }),
    },
    LeaseKeepAlive: (call) => serveKeepAlives(call, member, gate),
  };
}

/** Answers each request of the stream in turn; one for a lease that does not live gets a time to live of 0. */
function serveKeepAlives(call: DuplexCall, member: Member, gate: ServiceGate): void {
  let open = true;
  const close = (): void => {
    open = false;
  };
  call.on('data', ({ id }: LeaseIdRequest) =>
    gate.whenLeader((hasLeader) => {
      if (!open) return;
      if (hasLeader) call.write({ header: member.header(), id, ttl: member.leases.keepAlive(id) });
      else endWith(call, refusal('noLeader'));
    }),
  );
  call.on('end', () => {
    close();
    call.end();
  });
  call.on('cancelled', close);
  call.on('error', close);
}
