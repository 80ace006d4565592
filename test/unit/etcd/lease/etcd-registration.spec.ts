import { expect, it } from 'vitest';
import { DiscoveryError } from '../../../../lib/core/discovery-error.js';
import type { RegistrationEvent } from '../../../../lib/core/discovery-event.js';
import { EtcdRegistration } from '../../../../lib/etcd/lease/etcd-registration.js';

const key = 'api/h:1';
const away = new DiscoveryError('REGISTRY_UNAVAILABLE', 'away');
const full = new DiscoveryError('REGISTRY_REJECTED', 'no space');
const EVENTS = {
  registered: { type: 'registered', key, leaseId: 'L' },
  restored: { type: 'record-restored', key },
  conflict: { type: 'conflict', key, foreignValue: 'theirs' },
  refused: { type: 'record-refused', key, error: full, retryInMs: 1 },
  unreachable: { type: 'lease-unreachable', error: away, retryInMs: 1 },
  recovered: { type: 'lease-recovered', leaseId: 'L' },
  expired: { type: 'lease-expired', leaseId: 'L' },
  lost: { type: 'lease-lost', leaseId: 'L' },
} satisfies Record<string, RegistrationEvent>;

/** The state, and the error if there is one, after these events. */
function after(...events: (keyof typeof EVENTS)[]): [string, DiscoveryError?] {
  const registration = new EtcdRegistration(
    { state: 'registering', service: 'api', key, address: 'h:1' },
    () => {},
    async () => {},
  );
  for (const event of events) registration.observe(EVENTS[event]);
  const { state, error } = registration.status;
  return error === undefined ? [state] : [state, error];
}

it.each([
  [['unreachable'], ['registering', away]],
  [['unreachable', 'recovered'], ['registering']],
  [['registered'], ['registered']],
  [
    ['registered', 'unreachable'],
    ['unreachable', away],
  ],
  [['registered', 'unreachable', 'recovered'], ['registered']],
  [['registered', 'unreachable', 'expired', 'recovered'], ['registering']],
  [['registered', 'unreachable', 'expired', 'recovered', 'registered'], ['registered']],
  [['registered', 'lost'], ['registering']],
  [['registered', 'conflict'], ['conflict']],
  [
    ['registered', 'conflict', 'unreachable'],
    ['conflict', away],
  ],
  [['registered', 'conflict', 'unreachable', 'recovered'], ['conflict']],
  [['registered', 'conflict', 'unreachable', 'expired', 'recovered'], ['conflict']],
  [['registered', 'conflict', 'lost'], ['conflict']],
  [
    ['registered', 'conflict', 'refused'],
    ['conflict', full],
  ],
  [
    ['registered', 'refused'],
    ['registering', full],
  ],
  [['registered', 'refused', 'registered'], ['registered']],
  [['registered', 'refused', 'unreachable', 'recovered'], ['registering']],
  [['registered', 'restored'], ['registered']],
] as const)('after the events %j the status of the registration is %j', (events, status) => {
  expect(after(...events)).toEqual(status);
});

it('a registration that has ended ignores events', () => {
  const registration = new EtcdRegistration(
    { state: 'registering', service: 'api', key, address: 'h:1' },
    () => {},
    async () => {},
  );
  registration.ended();
  registration.observe(EVENTS.registered);
  expect(registration.status.state).toBe('deregistered');
});
