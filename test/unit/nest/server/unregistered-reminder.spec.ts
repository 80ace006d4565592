import { beforeEach, expect, it } from 'vitest';
import { UnregisteredReminder } from '../../../../lib/nest/server/unregistered-reminder.js';
import { FakeClock } from '../../../../lib/testing/fake-clock.js';

let clock: FakeClock;
let warnings: string[];
let readiness: { isReady: boolean; reason: string };

beforeEach(() => {
  clock = new FakeClock();
  warnings = [];
  readiness = { isReady: true, reason: '' };
});

const create = (...names: readonly string[]): UnregisteredReminder =>
  new UnregisteredReminder(
    names.map((name) => ({ name })),
    readiness,
    clock,
    (text) => warnings.push(text),
  );

it('the first reminder comes 5 s after the first server is bound, and the next ones each minute', () => {
  const reminder = create('api');
  clock.advance(60_000);
  reminder.onBound('h:1');
  clock.advance(3_000);
  reminder.onBound('h:2');
  clock.advance(1_999);
  expect(warnings).toHaveLength(0);
  clock.advance(1);
  expect(warnings).toHaveLength(1);
  clock.advance(59_999);
  expect(warnings).toHaveLength(1);
  clock.advance(1);
  expect(warnings).toHaveLength(2);
  expect(clock.pendingTimers).toBe(1);
});

it('a reminder names the services, the servers and the calls that are missing', () => {
  const reminder = create('api', 'billing');
  reminder.onBound('h:1');
  reminder.onBound('h:2');
  clock.advance(5_000);
  expect(warnings).toEqual([
    'Service "api", "billing" is not registered, and clients cannot find it: the gRPC server at h:1, h:2 accepts calls, but the application was not initialized, and none of its onModuleInit and onApplicationBootstrap hooks has run. Call "await app.init()" or "await app.listen(port)" beside "await app.startAllMicroservices()"; it is registered then.',
  ]);
});

it('a reminder of an application that is up says why it is not ready', () => {
  const reminder = create('api');
  reminder.onBootstrapped();
  reminder.onBound('h:1');
  readiness = Object.assign(readiness, { isReady: false, reason: 'no database' });
  clock.advance(5_000);
  expect(warnings).toEqual([
    'Service "api" is not registered, and clients cannot find it: the application is not ready to serve (no database). It is registered as soon as it is.',
  ]);
});

it('no reminder comes while the application is ready or initializes, but the next one may', () => {
  const reminder = create('api');
  reminder.onBound('h:1');
  reminder.onInitializing();
  readiness.isReady = false;
  clock.advance(5_000);
  reminder.onBootstrapped();
  readiness.isReady = true;
  clock.advance(60_000);
  expect(warnings).toHaveLength(0);
  readiness.isReady = false;
  clock.advance(60_000);
  expect(warnings).toHaveLength(1);
});

it('an application that is up stays up, even if a late module initializes', () => {
  const reminder = create('api');
  reminder.onBootstrapped();
  reminder.onInitializing();
  reminder.onBound('h:1');
  readiness.isReady = false;
  clock.advance(5_000);
  expect(warnings).toHaveLength(1);
});

it('no reminder comes if there are no services, or after stop(), not even for a server that is bound after stop()', () => {
  const without = create();
  without.onBound('h:1');
  expect(clock.pendingTimers).toBe(0);
  const reminder = create('api');
  reminder.onBound('h:1');
  reminder.stop();
  expect(clock.pendingTimers).toBe(0);
  const stoppedBefore = create('api');
  stoppedBefore.stop();
  stoppedBefore.onBound('h:1');
  expect(clock.pendingTimers).toBe(0);
  clock.advance(600_000);
  expect(warnings).toEqual([]);
});
