/** The single moves of the lease machine (`lease-machine.ts`): into each phase, with the request or the timer that belongs to it. */
import type { RegistrationEvent } from '../discovery-event.js';
import { type RecordRequest, recordRequests, removalRequests } from './lease-record.js';
import type {
  HeldLease,
  LeaseContext,
  LeaseEffect,
  LeaseMachine,
  LeasePhase,
  LeaseStep,
} from './lease-state.js';
import { sparedRequests } from './spared-records.js';

/** Keepalives per time to live: the rate of etcd's own client (clientv3 `nextKeepAlive`, ttl/3). */
export const KEEPALIVES_PER_TTL = 3;
/** Spread of the keepalive interval, so that leases granted together drift apart. */
export const KEEPALIVE_JITTER = 0.1;

export function grant(machine: LeaseMachine, attempt: number): LeaseStep {
  const phase: LeasePhase = { name: 'granting', attempt };
  return {
    // What comes back comes back to the lease that is gone.
    machine: { ...machine, phase, dirty: false, spared: new Map() },
    effects: [{ type: 'grant' }],
  };
}

export function sync(
  machine: LeaseMachine,
  lease: HeldLease,
  attempt: number,
  renew: boolean,
  context: LeaseContext,
): LeaseStep {
  const returned = renew ? sparedRequests(machine.spared, machine.records) : [];
  const records = [...recordRequests(machine.records, context.now), ...returned];
  const phase: LeasePhase = { name: 'syncing', lease, attempt, renew };
  return {
    machine: { ...machine, phase, dirty: false },
    effects: [{ type: 'sync', leaseId: lease.id, renew, records }],
  };
}

export function rest(machine: LeaseMachine, lease: HeldLease, context: LeaseContext): LeaseStep {
  const renewAt = nextRenewalAt(lease, context);
  const contestAt = [...machine.records.values()].map(({ standing }) =>
    standing.name === 'contested' ? standing.contestAt : Infinity,
  );
  const delayMs = Math.max(0, Math.min(renewAt, ...contestAt) - context.now);
  return {
    machine: { ...machine, phase: { name: 'resting', lease } },
    effects: [{ type: 'timer', delayMs }],
  };
}

/** When the next keepalive is due: counted from the last renewal, so that syncs in between do not put it off. */
export function nextRenewalAt({ renewedAt, ttlMs }: HeldLease, context: LeaseContext): number {
  const { keepalivesPerTtl = KEEPALIVES_PER_TTL, keepaliveJitter = KEEPALIVE_JITTER } = context;
  const jitter = 1 - keepaliveJitter + 2 * keepaliveJitter * context.random();
  return renewedAt + (ttlMs / keepalivesPerTtl) * jitter;
}

export function revoke(
  machine: LeaseMachine,
  lease: HeldLease,
  attempt: number,
  final: boolean,
  records: readonly RecordRequest[] = removalRequests(machine.records),
): LeaseStep {
  return {
    machine: {
      ...machine,
      phase: { name: 'revoking', lease, attempt, final },
      dirty: false,
    },
    effects: [{ type: 'revoke', leaseId: lease.id, records }],
  };
}

export function stopped(machine: LeaseMachine): LeaseMachine {
  return { ...machine, phase: { name: 'stopped' } };
}

export function stay(machine: LeaseMachine): LeaseStep {
  return { machine, effects: [] };
}

export function emit(event: RegistrationEvent): LeaseEffect {
  return { type: 'emit', event };
}

export function prepend(effects: readonly LeaseEffect[], step: LeaseStep): LeaseStep {
  return { machine: step.machine, effects: [...effects, ...step.effects] };
}
