/**
 * A lease and its records as one state machine: grant → write → keep alive and verify, for ever. It never
 * gives up: after any answer the next states lead to "every wanted record is there, with our value, under our
 * lease".
 * Pure: a step takes state and event, and returns the next state and the effects as data, for one runner.
 */
import {
  forgetRefusals,
  recordsAfterLease,
  recordsPresumedGone,
  refuseRecords,
  unwantedRecords,
  wantedRecord,
} from './lease-record.js';
import type {
  HeldLease,
  LeaseContext,
  LeaseEffect,
  LeaseEvent,
  LeaseMachine,
  LeasePhase,
  LeaseStep,
} from './lease-types.js';
import {
  backOff,
  emit,
  hasWanted,
  leave,
  pause,
  prepend,
  proceed,
  retry,
  retryDelayMs,
  revoke,
  stay,
  stopped,
  sync,
  withdraw,
} from './lease-transitions.js';
import {
  endsWithLease,
  observeRecords,
  type RecordObservation,
  spareRecords,
} from './record-observation.js';

type Syncing = Extract<LeasePhase, { name: 'syncing' }>;
type Answer<Type extends LeaseEvent['type']> = Extract<LeaseEvent, { type: Type }>;

/** One step of the lease machine. An answer is ignored if no request of its kind is in flight. */
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
      if (phase.name === 'resting') return sync(machine, phase.lease, 0, true, context);
      return phase.name === 'backing-off'
        ? retry(machine, phase.lease, phase.attempt, context)
        : stay(machine);
    case 'registry-was-away': {
      if (phase.name === 'resting') return sync(machine, phase.lease, 0, true, context);
      if (!('attempt' in phase)) return stay(machine);
      // The length of an outage says nothing about the next attempt: the backoff is that of a first failure.
      const soon = { ...phase, attempt: Math.min(phase.attempt, 1) };
      return soon.name === 'backing-off'
        ? retry(machine, soon.lease, soon.attempt, context)
        : stay({ ...machine, phase: soon });
    }
    case 'granted':
      return phase.name === 'granting'
        ? onGranted(machine, event, phase.final === true, context)
        : stay(machine);
    case 'synced':
      return phase.name === 'syncing' ? onSynced(machine, phase, event, context) : stay(machine);
    case 'refused':
      return phase.name === 'syncing' ? onRefused(machine, phase, event, context) : stay(machine);
    case 'lease-gone':
      if (phase.name === 'revoking') return onRevoked(machine, phase, new Map(), context);
      return phase.name === 'syncing' ? onLeaseGone(machine, phase, context) : stay(machine);
    case 'revoked':
      return phase.name === 'revoking'
        ? onRevoked(machine, phase, event.observations ?? new Map(), context)
        : stay(machine);
    case 'failed':
      return onFailed(machine, event, context);
  }
}

/** Acts on a changed wish of the caller: now, after the request in flight, or with the next attempt. */
function onWish(machine: LeaseMachine, context: LeaseContext): LeaseStep {
  const { phase } = machine;
  if (phase.name === 'stopped') return stay(machine);
  const dirty = { ...machine, dirty: true };
  if (phase.name === 'idle') return proceed(dirty, undefined, context);
  if (phase.name === 'resting') return proceed(dirty, phase.lease, context);
  return stay(dirty);
}

function onGranted(
  machine: LeaseMachine,
  { leaseId, ttlMs, at }: Answer<'granted'>,
  isFinal: boolean,
  context: LeaseContext,
): LeaseStep {
  const effects = [emit({ type: 'lease-granted', leaseId, ttlMs })];
  const lease = { id: leaseId, ttlMs, renewedAt: at };
  const after = { ...machine, expired: false };
  const isUseless = isFinal || !hasWanted(machine);
  // No record was written under the lease yet, so its revocation announces no removal.
  return prepend(
    effects,
    isUseless ? revoke(after, lease, 0, isFinal, []) : proceed(after, lease, context),
  );
}

function onSynced(
  machine: LeaseMachine,
  phase: Syncing,
  event: Answer<'synced'>,
  context: LeaseContext,
): LeaseStep {
  const { after, lease, effects } = onAnswered(machine, phase, event, context);
  return prepend(effects, proceed(after, lease, context));
}

/** Retries the refused records with backoff. The lease is still renewed in time for its other records. */
function onRefused(
  machine: LeaseMachine,
  phase: Syncing,
  event: Answer<'refused'>,
  context: LeaseContext,
): LeaseStep {
  const { after, lease, effects } = onAnswered(machine, phase, event, context);
  const delayMs = retryDelayMs(phase.attempt, lease, context);
  const { records, events } = refuseRecords(after.records, event.refusals, delayMs, lease.ttlMs);
  const next = { name: 'backing-off', lease, attempt: phase.attempt + 1 } as const;
  const step = backOff({ ...after, records }, next, delayMs, context);
  return { machine: step.machine, effects: [...step.effects, ...effects, ...events.map(emit)] };
}

/** Applies the answer to a sync, in which the registry accepted all records or refused some. */
function onAnswered(
  machine: LeaseMachine,
  phase: Syncing,
  { observations, at }: Answer<'synced' | 'refused'>,
  context: LeaseContext,
): {
  readonly after: LeaseMachine;
  readonly lease: HeldLease;
  readonly effects: readonly LeaseEffect[];
} {
  const lease = phase.renew ? { ...phase.lease, renewedAt: at } : phase.lease;
  const { records, events } = observeRecords(machine.records, observations, lease, context);
  const effects = events.map(emit);
  if (machine.interrupted) effects.unshift(emit({ type: 'lease-recovered', leaseId: lease.id }));
  const losses = phase.renew ? 0 : machine.losses;
  const spared = spareRecords(machine, observations, lease, context);
  const after = { ...machine, records, spared, losses, expired: false, interrupted: false };
  return { after, lease, effects };
}

function onLeaseGone(machine: LeaseMachine, { lease }: Syncing, context: LeaseContext): LeaseStep {
  const losses = machine.losses + 1;
  const after = { ...machine, losses, records: recordsAfterLease(machine.records) };
  const isFresh = context.now - lease.renewedAt < context.backoff.floorMs;
  return prepend(
    [emit({ type: 'lease-lost', leaseId: lease.id })],
    isFresh || losses > 1 ? pause(after, context) : proceed(after, undefined, context),
  );
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

function onFailed(
  machine: LeaseMachine,
  { error, renewedAt, observations }: Answer<'failed'>,
  context: LeaseContext,
): LeaseStep {
  const { phase } = machine;
  if (phase.name !== 'granting' && phase.name !== 'syncing' && phase.name !== 'revoking') {
    return stay(machine);
  }
  const held = 'lease' in phase ? phase.lease : undefined;
  // After `stop` a failed revocation is not retried: the lease expires by itself.
  if ('final' in phase && phase.final === true) return leave(machine, held, error);
  const isRenewed = renewedAt !== undefined;
  const lease = held !== undefined && isRenewed ? { ...held, renewedAt } : held;
  const delayMs = retryDelayMs(phase.attempt, isRenewed ? lease : undefined, context);
  const effects: LeaseEffect[] = [];
  // No outage is reported if no attempt follows: no record is to be written, and no lease to be revoked.
  if (!machine.interrupted && (hasWanted(machine) || lease !== undefined)) {
    const removal = hasWanted(machine) ? {} : { removalTtlMs: lease?.ttlMs };
    effects.push(emit({ type: 'lease-unreachable', error, retryInMs: delayMs, ...removal }));
  }
  let expired = machine.expired && !isRenewed;
  let records = forgetRefusals(machine.records);
  let { spared } = machine;
  if (lease !== undefined && observations !== undefined) {
    const observed = observeRecords(records, observations, lease, context);
    records = observed.records;
    spared = spareRecords(machine, observations, lease, context);
    effects.push(...observed.events.map(emit));
  }
  if (lease !== undefined && !expired && context.now - lease.renewedAt > lease.ttlMs) {
    expired = true;
    // The records are only presumed gone: etcd keeps leases while it restarts. If a later request finds the
    // records in place, `registered` is emitted.
    records = recordsPresumedGone(records);
    effects.push(emit({ type: 'lease-expired', leaseId: lease.id }));
  }
  const after = { ...machine, records, spared, expired, interrupted: true };
  const next = { name: 'backing-off', lease, attempt: phase.attempt + 1 } as const;
  const step = backOff(after, next, delayMs, context);
  return { machine: step.machine, effects: [...step.effects, ...effects] };
}
