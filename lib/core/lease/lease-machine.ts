/**
 * Lease and records as one state machine: grant → write → keep alive and verify, for ever. It never gives up: whatever
 * the registry answers, the next state leads back to "every wanted record is there, with our value, under our lease".
 * Pure: a step takes a state and an event and returns the next state and the effects as data; one runner performs them.
 */
import { hasWanted, pause, proceed, retry, withdraw } from './lease-course.js';
import { onFailed } from './lease-failure.js';
import { recordsAfterLease, unwantedRecords, wantedRecord } from './lease-record.js';
import { endsWithLease, type RecordObservation } from './record-observation.js';
import { onRefused, onSynced } from './lease-sync.js';
import type {
  LeaseContext,
  LeaseEvent,
  LeaseMachine,
  LeasePhase,
  LeaseStep,
} from './lease-state.js';
import { emit, prepend, revoke, stay, stopped, sync } from './lease-steps.js';

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
      const known = event.keys.filter((key) => records.has(key));
      if (known.length === 0) return stay(machine);
      const after = { ...machine, records: unwantedRecords(records, known) };
      return phase.name === 'backing-off'
        ? withdraw(after, phase, context)
        : onWish(after, context);
    }
    case 'stop':
      if (phase.name === 'granting' && phase.final !== true) {
        return stay({ ...machine, phase: { ...phase, final: true } });
      }
      if (phase.name === 'revoking') return stay({ ...machine, phase: { ...phase, final: true } });
      if (!('lease' in phase) || phase.lease === undefined) return stay(stopped(machine));
      return revoke(machine, phase.lease, 0, true);
    case 'timer':
    case 'registry-back':
      if (phase.name === 'resting' && event.type === 'timer') {
        return sync(machine, phase.lease, 0, true, context);
      }
      return phase.name === 'backing-off'
        ? retry(machine, phase.lease, phase.attempt, context)
        : stay(machine);
    case 'registry-was-away': {
      if (phase.name === 'resting') return sync(machine, phase.lease, 0, true, context);
      if (!('attempt' in phase)) return stay(machine);
      // How long it was away says nothing about how the next attempt ends. It has failed once.
      const soon = { ...phase, attempt: Math.min(phase.attempt, 1) };
      return soon.name === 'backing-off'
        ? retry(machine, soon.lease, soon.attempt, context)
        : stay({ ...machine, phase: soon });
    }
    case 'granted': {
      if (phase.name !== 'granting') return stay(machine);
      const { leaseId, ttlMs, at } = event;
      const effects = [emit({ type: 'lease-granted', leaseId, ttlMs })];
      const lease = { id: leaseId, ttlMs, renewedAt: at };
      const after = { ...machine, expired: false };
      const isFinal = phase.final === true;
      // Nothing was written under it yet, so nothing has to be announced.
      const isUseless = isFinal || !hasWanted(machine);
      return prepend(
        effects,
        isUseless ? revoke(after, lease, 0, isFinal, []) : proceed(after, lease, context),
      );
    }
    case 'synced':
      return phase.name === 'syncing' ? onSynced(machine, phase, event, context) : stay(machine);
    case 'refused':
      return phase.name === 'syncing' ? onRefused(machine, phase, event, context) : stay(machine);
    case 'lease-gone': {
      if (phase.name === 'revoking') return onRevoked(machine, phase, new Map(), context);
      if (phase.name !== 'syncing') return stay(machine);
      const effects = [emit({ type: 'lease-lost', leaseId: phase.lease.id })];
      const losses = machine.losses + 1;
      const after = { ...machine, losses, records: recordsAfterLease(records) };
      const isFresh = context.now - phase.lease.renewedAt < context.backoff.floorMs;
      const isHasty = isFresh || losses > 1;
      return prepend(effects, isHasty ? pause(after, context) : proceed(after, undefined, context));
    }
    case 'revoked':
      return phase.name === 'revoking'
        ? onRevoked(machine, phase, event.observations ?? new Map(), context)
        : stay(machine);
    case 'failed':
      return onFailed(machine, event, context);
  }
}

/** Wishes changed: act now, or as soon as the request in flight is answered, or once the registry is back. */
function onWish(machine: LeaseMachine, context: LeaseContext): LeaseStep {
  const { phase } = machine;
  if (phase.name === 'stopped') return stay(machine);
  const dirty = { ...machine, dirty: true };
  if (phase.name === 'idle') return proceed(dirty, undefined, context);
  if (phase.name === 'resting') return proceed(dirty, phase.lease, context);
  return stay(dirty);
}

function onRevoked(
  machine: LeaseMachine,
  phase: Extract<LeasePhase, { name: 'revoking' }>,
  observations: ReadonlyMap<string, RecordObservation>,
  context: LeaseContext,
): LeaseStep {
  const effects = [...machine.records]
    .filter(([key, record]) => endsWithLease(record, observations.get(key)))
    .filter(([, record]) => phase.final || !record.wanted)
    .map(([key]) => emit({ type: 'deregistered', key }));
  if (phase.final) return { machine: stopped(machine), effects };
  const after = { ...machine, records: recordsAfterLease(machine.records) };
  return prepend(effects, proceed(after, undefined, context));
}
