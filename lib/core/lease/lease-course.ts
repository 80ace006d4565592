/** Where the lease machine (`lease-machine.ts`) goes from where it is, given its wishes and the lease it holds. */
import { backoffDelayMs } from '../backoff.js';
import { isRecordDue, recordsAfterLease } from './lease-record.js';
import {
  type HeldLease,
  INITIAL_LEASE_MACHINE,
  type LeaseContext,
  type LeaseEffect,
  type LeaseMachine,
  type LeasePhase,
  type LeaseStep,
} from './lease-state.js';
import { grant, rest, revoke, stay, sync } from './lease-steps.js';

/** On to what is due, given the lease that is held. */
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

/** The next attempt at what failed. */
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
 * A record is to come out though the last attempt failed: who takes it out waits, and the registry may answer. Without a lease
 * nothing of ours is there.
 */
export function withdraw(
  machine: LeaseMachine,
  { lease, attempt }: Extract<LeasePhase, { name: 'backing-off' }>,
  context: LeaseContext,
): LeaseStep {
  if (lease !== undefined) return retry(machine, lease, attempt, context);
  const after = { ...machine, records: recordsAfterLease(machine.records) };
  return stay(hasWanted(after) ? after : INITIAL_LEASE_MACHINE);
}

/**
 * After a failed attempt: the next one once `delayMs` have passed; at once where the failed one did not know yet that a record is to
 * come out.
 */
export function backOff(
  machine: LeaseMachine,
  phase: Extract<LeasePhase, { name: 'backing-off' }>,
  delayMs: number,
  context: LeaseContext,
): LeaseStep {
  const waiting: LeaseMachine = { ...machine, phase, dirty: false };
  const isLate = machine.dirty && [...machine.records.values()].some(({ wanted }) => !wanted);
  const step = isLate ? withdraw(waiting, phase, context) : stay(waiting);
  const timer: LeaseEffect = { type: 'timer', delayMs };
  const isWaiting = step.machine.phase.name === 'backing-off';
  return isWaiting ? { machine: step.machine, effects: [timer] } : step;
}

/** Leases that are gone before they were renewed once: the next one is not asked for in the same breath, and each time later. */
export function pause(machine: LeaseMachine, context: LeaseContext): LeaseStep {
  const { losses } = machine;
  const delayMs = backoffDelayMs(context.backoff, losses - 1, context.random);
  const phase = { name: 'backing-off', lease: undefined, attempt: losses } as const;
  return backOff(machine, phase, delayMs, context);
}

/** Whether any record is to be in the registry. */
export function hasWanted(machine: LeaseMachine): boolean {
  return [...machine.records.values()].some((record) => record.wanted);
}
