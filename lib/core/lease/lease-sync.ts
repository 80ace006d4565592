/** What the lease machine (`lease-machine.ts`) makes of a sync that the registry answered. */
import { backoffDelayMs } from '../backoff.js';
import { backOff, proceed } from './lease-course.js';
import { refuseRecords } from './lease-record.js';
import { conflictMemoryMs, observeRecords, type RecordObservation } from './record-observation.js';
import type {
  HeldLease,
  LeaseContext,
  LeaseEffect,
  LeaseEvent,
  LeaseMachine,
  LeasePhase,
  LeaseStep,
} from './lease-state.js';
import { emit, nextRenewalAt, prepend } from './lease-steps.js';
import { spareRecords } from './spared-records.js';

type Syncing = Extract<LeasePhase, { name: 'syncing' }>;

/** The step after a sync in which every record was answered for. */
export function onSynced(
  machine: LeaseMachine,
  phase: Syncing,
  event: Extract<LeaseEvent, { type: 'synced' }>,
  context: LeaseContext,
): LeaseStep {
  const { after, lease, effects } = answered(machine, phase, event, context);
  return prepend(effects, proceed(after, lease, context));
}

/**
 * The step after a sync in which the registry refused some records. They are tried again with backoff, and the others must not run
 * out with the lease for it.
 */
export function onRefused(
  machine: LeaseMachine,
  phase: Syncing,
  event: Extract<LeaseEvent, { type: 'refused' }>,
  context: LeaseContext,
): LeaseStep {
  const { after, lease, effects } = answered(machine, phase, event, context);
  const renewInMs = Math.max(context.backoff.floorMs, nextRenewalAt(lease, context) - context.now);
  const backoffMs = backoffDelayMs(context.backoff, phase.attempt, context.random);
  const delayMs = Math.min(backoffMs, renewInMs);
  const { records, events } = refuseRecords(after.records, event.refusals, delayMs);
  const attempt = phase.attempt + 1;
  const step = backOff(
    { ...after, records },
    { name: 'backing-off', lease, attempt },
    delayMs,
    context,
  );
  return { machine: step.machine, effects: [...step.effects, ...effects, ...events.map(emit)] };
}

function answered(
  machine: LeaseMachine,
  phase: Syncing,
  event: { readonly observations: ReadonlyMap<string, RecordObservation>; readonly at: number },
  context: LeaseContext,
): {
  readonly after: LeaseMachine;
  readonly lease: HeldLease;
  readonly effects: readonly LeaseEffect[];
} {
  const lease = phase.renew ? { ...phase.lease, renewedAt: event.at } : phase.lease;
  const { records, events } = observeRecords(machine.records, event.observations, lease, context);
  const effects = events.map(emit);
  if (machine.interrupted) effects.unshift(emit({ type: 'lease-recovered', leaseId: lease.id }));
  const losses = phase.renew ? 0 : machine.losses;
  const spared = spare(machine, event.observations, lease, context);
  const after = { ...machine, records, spared, losses, expired: false, interrupted: false };
  return { after, lease, effects };
}

/** What was spared: until the other process has forgotten us, which it does with a keepalive of its own. */
export function spare(
  machine: LeaseMachine,
  observations: ReadonlyMap<string, RecordObservation>,
  { ttlMs }: HeldLease,
  { now, backoff }: LeaseContext,
): LeaseMachine['spared'] {
  const until = now + conflictMemoryMs({ backoff, ttlMs }) + ttlMs;
  return spareRecords(machine, observations, until, now);
}
