import { beforeEach, describe, expect, it } from 'vitest';
import { DiscoveryError } from '../../../lib/core/discovery-error.js';
import type { Endpoint } from '../../../lib/core/records/endpoint.js';
import type { RegistrationState, RegistrationStatus } from '../../../lib/registry/registration.js';
import { TrackedRegistration } from '../../../lib/registry/tracked-registration.js';

const INITIAL: RegistrationStatus = {
  state: 'registering',
  service: 'api',
  key: 'api/h:1',
  address: 'h:1',
};
const AWAY = new DiscoveryError('REGISTRY_UNAVAILABLE', 'away');
const REFUSED = new DiscoveryError('REGISTRY_UNAVAILABLE', 'refused');
const endpoint: Endpoint = { address: 'h:1', metadata: null };

/** A registration whose registry is the test. */
class OpenRegistration extends TrackedRegistration {
  reach(state: RegistrationState, error?: DiscoveryError): void {
    this.become(state, error);
  }
}

/** What the registration asked of its registry, in order. */
let asked: string[];
/** Ends the removal. */
let removed: () => void;
let registration: OpenRegistration;
let statuses: RegistrationStatus[];
let isComplete: boolean;

const states = (): string[] => statuses.map(({ state }) => state);

beforeEach(() => {
  asked = [];
  statuses = [];
  isComplete = false;
  registration = new OpenRegistration(
    INITIAL,
    ({ address }) => asked.push(`put ${address}`),
    () => {
      asked.push('remove');
      return new Promise((resolve) => (removed = resolve));
    },
  );
  registration.status$.subscribe({
    next: (status) => statuses.push(status),
    complete: () => (isComplete = true),
  });
});

describe('the status of a registration', () => {
  it('begins with what the registry gave', () => {
    expect(registration.status).toBe(INITIAL);
    expect(statuses).toEqual([INITIAL]);
  });

  it('has the error of the state, and no error after a state without one', () => {
    registration.reach('unreachable', AWAY);
    registration.reach('registered');
    expect(statuses.slice(1)).toStrictEqual([
      { ...INITIAL, state: 'unreachable', error: AWAY },
      { ...INITIAL, state: 'registered' },
    ]);
    expect(registration.status).toBe(statuses.at(-1));
  });

  it.each<
    [string, boolean, [RegistrationState, DiscoveryError?], [RegistrationState, DiscoveryError?]]
  >([
    ['neither the state nor the error changes', false, ['registered'], ['registered']],
    ['the error is the same object', false, ['unreachable', AWAY], ['unreachable', AWAY]],
    ['the state changes', true, ['registered'], ['conflict']],
    ['the state changes and the error stays', true, ['unreachable', AWAY], ['registering', AWAY]],
    ['the error changes', true, ['registering', AWAY], ['registering', REFUSED]],
    ['the error goes', true, ['registering', AWAY], ['registering']],
  ])('is emitted if %s: %s', (_, isEmitted, first, second) => {
    registration.reach(...first);
    const before = statuses.length;
    registration.reach(...second);
    expect(statuses.length - before).toBe(isEmitted ? 1 : 0);
    expect([registration.status.state, registration.status.error]).toEqual([second[0], second[1]]);
  });

  it('does not change after deregistered, and completes then', () => {
    registration.ended();
    expect(isComplete).toBe(true);
    registration.reach('registered');
    expect(registration.status.state).toBe('deregistered');
    expect(states()).toEqual(['registering', 'deregistered']);
  });
});

describe('an update of a registration', () => {
  it('is written while the registration is open, and not from its close on', () => {
    registration.update(endpoint);
    void registration.close();
    registration.update(endpoint);
    removed();
    registration.update(endpoint);
    expect(asked).toEqual(['put h:1', 'remove']);
  });
});

describe('the close of a registration', () => {
  it('removes the record at once, and ends when the record is removed', async () => {
    const closing = registration.close();
    expect(asked).toEqual(['remove']);
    expect([states(), isComplete]).toEqual([['registering'], false]);
    removed();
    await closing;
    expect([states(), isComplete]).toEqual([['registering', 'deregistered'], true]);
  });

  it('removes the record once, and each call returns the same promise', async () => {
    const closing = registration.close();
    expect(closing).toBeInstanceOf(Promise);
    expect(registration.close()).toBe(closing);
    removed();
    await closing;
    expect(registration.close()).toBe(closing);
    expect(asked).toEqual(['remove']);
  });

  it('ends at once if the registry removes the record without a promise', async () => {
    const plain = new TrackedRegistration(
      INITIAL,
      () => {},
      () => {},
    );
    await plain.close();
    expect(plain.status.state).toBe('deregistered');
  });

  it('may be called again by the code that removes the record, and so may update()', async () => {
    const inner: unknown[] = [];
    const busy: TrackedRegistration = new TrackedRegistration(
      INITIAL,
      () => asked.push('put'),
      () => {
        asked.push('remove');
        busy.update(endpoint);
        inner.push(busy.close());
      },
    );
    const closing = busy.close();
    await closing;
    expect(inner).toHaveLength(1);
    expect(inner[0]).toBe(closing);
    expect(asked).toEqual(['remove']);
  });
});
