/** What the lease machine (`lease-machine.ts`) makes of a request that failed. */
import { backoffDelayMs } from '../backoff.js';
import { backOff } from './lease-course.js';
import { recordsPresumedGone, recordsUnheard } from './lease-record.js';
import { spare } from './lease-sync.js';
import { observeRecords } from './record-observation.js';
import type {
  LeaseContext,
  LeaseEffect,
  LeaseEvent,
  LeaseMachine,
  LeasePhase,
  LeaseStep,
} from './lease-state.js';
import { emit, nextRenewalAt, stay, stopped } from './lease-steps.js';

/** The step after a failure. One that answers no request in flight is ignored. */
export function onFailed(
  machine: LeaseMachine,
  { error, renewedAt, observations }: Extract<LeaseEvent, { type: 'failed' }>,
  context: LeaseContext,
): LeaseStep {
  const { phase } = machine;
  if (phase.name !== 'granting' && phase.name !== 'syncing' && phase.name !== 'revoking') {
    return stay(machine);
  }
  // Nothing waits for the lease any more; it runs out by itself.
  if ('final' in phase && phase.final === true) return stay(stopped(machine));

  let delayMs = backoffDelayMs(context.backoff, phase.attempt, context.random);
  let lease = 'lease' in phase ? phase.lease : undefined;
  if (lease !== undefined && renewedAt !== undefined) {
    lease = { ...lease, renewedAt };
    // The registry answers, and refuses a record: the others must not run out with the lease for it.
    const renewInMs = nextRenewalAt(lease, context) - context.now;
    delayMs = Math.min(delayMs, Math.max(context.backoff.floorMs, renewInMs));
  }
  const effects: LeaseEffect[] = [];
  if (!machine.interrupted) {
    effects.push(emit({ type: 'lease-unreachable', error, retryInMs: delayMs }));
  }
  let expired = machine.expired && renewedAt === undefined;
  let records = recordsUnheard(machine.records);
  let { spared } = machine;
  if (lease !== undefined && observations !== undefined) {
    const observed = observeRecords(records, observations, lease, context);
    records = observed.records;
    spared = spare(machine, observations, lease, context);
    effects.push(...observed.events.map(emit));
  }
  if (lease !== undefined && !expired && context.now - lease.renewedAt > lease.ttlMs) {
    expired = true;
    // Found again, they are told again: the registry may have kept the lease, as it does over its own restart.
    records = recordsPresumedGone(records);
    effects.push(emit({ type: 'lease-expired', leaseId: lease.id }));
  }
  const next: Extract<LeasePhase, { name: 'backing-off' }> = {
    name: 'backing-off',
    lease,
    attempt: phase.attempt + 1,
  };
  const after = { ...machine, records, spared, expired, interrupted: true };
  const step = backOff(after, next, delayMs, context);
  return { machine: step.machine, effects: [...step.effects, ...effects] };
}
