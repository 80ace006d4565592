/**
 * Lease and records as one state machine: grant → write → keep alive and verify, for ever. It never gives up: whatever
 * the registry answers, the next state leads back to "every wanted record is there, with our value, under our lease".
 * Pure: a step takes a state and an event and returns the next state and the effects as data; one runner performs them.
 */
import { backoffDelayMs } from './backoff.js';
import {
  isRecordDue,
  type LeaseRecord,
  observeRecords,
  recordsAfterLease,
  recordsPresumedGone,
  wantedRecord,
} from './lease-record.js';
import {
  type HeldLease,
  INITIAL_LEASE_MACHINE,
  type LeaseContext,
  type LeaseEffect,
  type LeaseEvent,
  type LeaseMachine,
  type LeasePhase,
  type LeaseStep,
} from './lease-state.js';
import {
  grant,
  sync,
  rest,
  nextRenewalAt,
  revoke,
  stopped,
  stay,
  emit,
  prepend,
} from './lease-steps.js';

/** One step. Events that answer no request in flight are ignored. */
export function stepLease(
  machine: LeaseMachine,
  event: LeaseEvent,
  context: LeaseContext,
): LeaseStep {
  const { phase, records } = machine;
  switch (event.type) {
    case 'want': {
      const record = wantedRecord(records.get(event.key), event.value);
      return onWish({ ...machine, records: new Map(records).set(event.key, record) }, context);
    }
    case 'unwant': {
      const known = records.get(event.key);
      if (known === undefined) return stay(machine);
      const record: LeaseRecord = { ...known, wanted: false };
      return onWish({ ...machine, records: new Map(records).set(event.key, record) }, context);
    }
    case 'stop':
      if (phase.name === 'stopped' || !('lease' in phase) || phase.lease === undefined) {
        return stay({ ...machine, phase: { name: 'stopped' } });
      }
      if (phase.name === 'revoking' && phase.final) return stay(machine);
      return revoke(machine, phase.lease, 0, true);
    case 'timer':
    case 'registry-back':
      if (phase.name === 'resting' && event.type === 'timer') {
        return sync(machine, phase.lease, 0, true, context);
      }
      return phase.name === 'backing-off' ? onRetry(machine, phase, context) : stay(machine);
    case 'registry-was-away': {
      if (phase.name === 'resting') return sync(machine, phase.lease, 0, true, context);
      if (!('attempt' in phase)) return stay(machine);
      // How long it was away says nothing about how the next attempt ends. 1: that it failed has been told.
      const soon = { ...phase, attempt: Math.min(phase.attempt, 1) };
      return soon.name === 'backing-off'
        ? onRetry(machine, soon, context)
        : stay({ ...machine, phase: soon });
    }
    case 'granted': {
      if (phase.name !== 'granting') return stay(machine);
      const { leaseId, ttlMs, at } = event;
      const effects = [emit({ type: 'lease-granted', leaseId, ttlMs })];
      const lease = { id: leaseId, ttlMs, renewedAt: at };
      return prepend(effects, proceed({ ...machine, expired: false }, lease, context));
    }
    case 'synced':
      return phase.name === 'syncing' ? onSynced(machine, phase, event, context) : stay(machine);
    case 'lease-gone': {
      if (phase.name === 'revoking') return onRevoked(machine, phase, context);
      if (phase.name !== 'syncing') return stay(machine);
      const effects = [emit({ type: 'lease-lost', leaseId: phase.lease.id })];
      const after = { ...machine, records: recordsAfterLease(records) };
      const isFresh = context.now - phase.lease.renewedAt < context.backoff.floorMs;
      return prepend(effects, isFresh ? pause(after, context) : proceed(after, undefined, context));
    }
    case 'revoked':
      return phase.name === 'revoking' ? onRevoked(machine, phase, context) : stay(machine);
    case 'failed':
      return onFailed(machine, event, context);
  }
}

type Phase<Name extends LeasePhase['name']> = Extract<LeasePhase, { name: Name }>;

/** Wishes changed: act now, or as soon as the request in flight is answered, or once the registry is back. */
function onWish(machine: LeaseMachine, context: LeaseContext): LeaseStep {
  const { phase } = machine;
  if (phase.name === 'stopped') return stay(machine);
  const dirty = { ...machine, dirty: true };
  if (phase.name === 'idle') return proceed(dirty, undefined, context);
  if (phase.name === 'resting') return proceed(dirty, phase.lease, context);
  return stay(dirty);
}

function onRetry(
  machine: LeaseMachine,
  { lease, attempt }: Phase<'backing-off'>,
  context: LeaseContext,
): LeaseStep {
  if (lease === undefined) {
    return hasWanted(machine) ? grant(machine, attempt) : proceed(machine, undefined, context);
  }
  return hasWanted(machine)
    ? sync(machine, lease, attempt, true, context)
    : revoke(machine, lease, attempt, false);
}

function onSynced(
  machine: LeaseMachine,
  phase: Phase<'syncing'>,
  event: Extract<LeaseEvent, { type: 'synced' }>,
  context: LeaseContext,
): LeaseStep {
  const lease = phase.renew ? { ...phase.lease, renewedAt: event.at } : phase.lease;
  const effects: LeaseEffect[] = [];
  if (phase.attempt > 0) effects.push(emit({ type: 'lease-recovered', leaseId: lease.id }));
  const observed = observeRecords(machine.records, event.observations, lease, context);
  effects.push(...observed.events.map(emit));
  const after = { ...machine, records: observed.records, expired: false };
  return prepend(effects, proceed(after, lease, context));
}

function onRevoked(
  machine: LeaseMachine,
  phase: Phase<'revoking'>,
  context: LeaseContext,
): LeaseStep {
  const effects = [...machine.records]
    .filter(([, record]) => record.standing.name !== 'unwritten')
    .filter(([, record]) => phase.final || !record.wanted)
    .map(([key]) => emit({ type: 'deregistered', key }));
  if (phase.final) return { machine: stopped(machine), effects };
  const after = { ...machine, records: recordsAfterLease(machine.records) };
  return prepend(effects, proceed(after, undefined, context));
}

function onFailed(
  machine: LeaseMachine,
  { error, renewedAt, observations }: Extract<LeaseEvent, { type: 'failed' }>,
  context: LeaseContext,
): LeaseStep {
  const { phase } = machine;
  if (phase.name !== 'granting' && phase.name !== 'syncing' && phase.name !== 'revoking') {
    return stay(machine);
  }
  // Nobody waits for the lease any more; it runs out by itself.
  if (phase.name === 'revoking' && phase.final) return stay(stopped(machine));

  let delayMs = backoffDelayMs(context.backoff, phase.attempt, context.random);
  let lease = 'lease' in phase ? phase.lease : undefined;
  if (lease !== undefined && renewedAt !== undefined) {
    lease = { ...lease, renewedAt };
    // The registry answers, and refuses a record: the others must not run out with the lease for it.
    const renewInMs = nextRenewalAt(lease, context) - context.now;
    delayMs = Math.min(delayMs, Math.max(context.backoff.floorMs, renewInMs));
  }
  const effects: LeaseEffect[] = [{ type: 'timer', delayMs }];
  if (phase.attempt === 0) {
    effects.push(emit({ type: 'lease-unreachable', error, retryInMs: delayMs }));
  }
  let expired = machine.expired && renewedAt === undefined;
  let { records } = machine;
  if (lease !== undefined && observations !== undefined) {
    const observed = observeRecords(records, observations, lease, context);
    records = observed.records;
    effects.push(...observed.events.map(emit));
  }
  if (lease !== undefined && !expired && context.now - lease.renewedAt > lease.ttlMs) {
    expired = true;
    // Found again, they are told again: the registry may have kept the lease, as it does over its own restart.
    records = recordsPresumedGone(records);
    effects.push(emit({ type: 'lease-expired', leaseId: lease.id }));
  }
  const backingOff: LeasePhase = {
    name: 'backing-off',
    lease,
    attempt: phase.attempt + 1,
  };
  return {
    machine: { ...machine, records, phase: backingOff, dirty: false, expired },
    effects,
  };
}

/** On to what is due, given the lease that is held. */
function proceed(
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

/** A lease that is gone as soon as it is granted: the next one is not asked for in the same breath. */
function pause(machine: LeaseMachine, context: LeaseContext): LeaseStep {
  const delayMs = backoffDelayMs(context.backoff, 0, context.random);
  const phase: LeasePhase = { name: 'backing-off', lease: undefined, attempt: 1 };
  return { machine: { ...machine, phase, dirty: false }, effects: [{ type: 'timer', delayMs }] };
}

function hasWanted(machine: LeaseMachine): boolean {
  return [...machine.records.values()].some((record) => record.wanted);
}
