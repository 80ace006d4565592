/** The transitions of the lease machine (`lease-machine.ts`), each with its request or timer. */
import { backoffDelayMs } from '../backoff.js';
import type { DiscoveryError } from '../discovery-error.js';
import type { RegistrationEvent } from '../discovery-event.js';
import {
  isRecordDue,
  type RecordRequest,
  recordRequests,
  recordsAfterLease,
  removalRequests,
  sparedRequests,
} from './lease-record.js';
import {
  type HeldLease,
  INITIAL_LEASE_MACHINE,
  type LeaseContext,
  type LeaseEffect,
  type LeaseMachine,
  type LeasePhase,
  type LeaseStep,
} from './lease-types.js';

type BackingOff = Extract<LeasePhase, { name: 'backing-off' }>;

/** The next step after a success: grant, sync, rest, revoke, or return to the initial state. */
export function proceed(
  machine: LeaseMachine,
  lease: HeldLease | undefined,
  context: LeaseContext,
): LeaseStep {
  if (lease === undefined) {
    return hasWanted(machine) ? grant(machine, 0) : stay(INITIAL_LEASE_MACHINE);
  }
  if (!hasWanted(machine)) return revoke(machine, lease, 0, false);
  const due = [...machine.records.values()].some((record) => isRecordDue(record, context.now));
  return due || machine.dirty
    ? sync(machine, lease, 0, false, context)
    : rest(machine, lease, context);
}

/** Makes the next attempt after a failed one. `attempt`: how many attempts have failed so far. */
export function retry(
  machine: LeaseMachine,
  lease: HeldLease | undefined,
  attempt: number,
  context: LeaseContext,
): LeaseStep {
  if (lease === undefined) {
    return hasWanted(machine) ? grant(machine, attempt) : stay(INITIAL_LEASE_MACHINE);
  }
  return hasWanted(machine)
    ? sync(machine, lease, attempt, true, context)
    : revoke(machine, lease, attempt, false);
}

/**
 * Tries a removal now, although the machine backs off: the caller waits for it, and the registry may answer
 * again. Without a lease none of our records is in the registry, and those to remove are dropped.
 */
export function withdraw(
  machine: LeaseMachine,
  { lease, attempt }: BackingOff,
  context: LeaseContext,
): LeaseStep {
  if (lease !== undefined) return retry(machine, lease, attempt, context);
  const after = { ...machine, records: recordsAfterLease(machine.records) };
  return stay(hasWanted(after) ? after : INITIAL_LEASE_MACHINE);
}

/**
 * Waits `delayMs` milliseconds before the next attempt. A removal that the caller asked for during the failed
 * attempt does not wait: that attempt did not contain it.
 */
export function backOff(
  machine: LeaseMachine,
  phase: BackingOff,
  delayMs: number,
  context: LeaseContext,
): LeaseStep {
  const waiting: LeaseMachine = { ...machine, phase, dirty: false };
  const hasNewRemoval =
    machine.dirty && [...machine.records.values()].some(({ wanted }) => !wanted);
  const step = hasNewRemoval ? withdraw(waiting, phase, context) : stay(waiting);
  const timer: LeaseEffect = { type: 'timer', delayMs };
  const isWaiting = step.machine.phase.name === 'backing-off';
  return isWaiting ? { machine: step.machine, effects: [timer] } : step;
}

/**
 * Backs off before the next grant, to avoid a hot loop. The machine does this if a lease is lost right after
 * its grant or renewal, or if several leases in a row are lost before a renewal. Each such loss doubles the
 * delay.
 */
export function pause(machine: LeaseMachine, context: LeaseContext): LeaseStep {
  const { losses } = machine;
  const delayMs = backoffDelayMs(context.backoff, losses - 1, context.random);
  const phase: BackingOff = { name: 'backing-off', lease: undefined, attempt: losses };
  return backOff(machine, phase, delayMs, context);
}

/**
 * The delay in milliseconds before the next attempt. With a `lease` that the registry still renews, the delay
 * ends no later than the next keepalive is due: a record that the registry refuses must not let the lease
 * expire.
 */
export function retryDelayMs(
  attempt: number,
  lease: HeldLease | undefined,
  context: LeaseContext,
): number {
  const { backoff, now, random } = context;
  const delayMs = backoffDelayMs(backoff, attempt, random);
  if (lease === undefined) return delayMs;
  return Math.min(delayMs, Math.max(backoff.floorMs, nextRenewalAt(lease, context) - now));
}

/** Whether the caller wants any record to be in the registry. */
export function hasWanted(machine: LeaseMachine): boolean {
  return [...machine.records.values()].some((record) => record.wanted);
}

function grant(machine: LeaseMachine, attempt: number): LeaseStep {
  const phase: LeasePhase = { name: 'granting', attempt };
  return {
    // Other processes give spared records back to the old lease, which is gone. So no record can come back
    // under the new lease.
    machine: { ...machine, phase, dirty: false, spared: new Map() },
    effects: [{ type: 'grant' }],
  };
}

/** Sends a request for every record and, if `renew` is true, a renewal of the lease. */
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

function rest(machine: LeaseMachine, lease: HeldLease, context: LeaseContext): LeaseStep {
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

/** When the next keepalive is due. The interval begins at the last renewal: a mere sync does not delay it. */
function nextRenewalAt({ renewedAt, ttlMs }: HeldLease, context: LeaseContext): number {
  const { keepalivesPerTtl, keepaliveJitter, random } = context;
  const jitter = 1 - keepaliveJitter + 2 * keepaliveJitter * random();
  return renewedAt + (ttlMs / keepalivesPerTtl) * jitter;
}

/** Revokes the lease. `records`: the removals that are announced first. */
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

/** The machine after `stop`: no event changes its phase any more. */
export function stopped(machine: LeaseMachine): LeaseMachine {
  return { ...machine, phase: { name: 'stopped' } };
}

/** Stops although the registry has not revoked the lease. `lease`: `undefined` if none was granted. */
export function leave(
  machine: LeaseMachine,
  lease: HeldLease | undefined,
  error: DiscoveryError,
): LeaseStep {
  if (lease === undefined) return stay(stopped(machine));
  const { id: leaseId, ttlMs } = lease;
  const effects = [emit({ type: 'lease-left', leaseId, ttlMs, error })];
  return { machine: stopped(machine), effects };
}

/** A step without effects. */
export function stay(machine: LeaseMachine): LeaseStep {
  return { machine, effects: [] };
}

/** The effect that emits an event. */
export function emit(event: RegistrationEvent): LeaseEffect {
  return { type: 'emit', event };
}

/** The same step, with these effects before its own effects. */
export function prepend(effects: readonly LeaseEffect[], step: LeaseStep): LeaseStep {
  return { machine: step.machine, effects: [...effects, ...step.effects] };
}
