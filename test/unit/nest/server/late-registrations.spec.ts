import { BehaviorSubject } from 'rxjs';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { DiscoveryError } from '../../../../lib/core/discovery-error.js';
import {
  type LateRegistrations,
  lateRegistrations,
} from '../../../../lib/nest/server/late-registrations.js';
import type { Registration, RegistrationStatus } from '../../../../lib/registry/registration.js';

type State = RegistrationStatus['state'];

class FakeRegistration {
  readonly status$: BehaviorSubject<RegistrationStatus>;

  constructor(
    readonly key: string,
    state: State,
    error?: DiscoveryError,
  ) {
    const status = { state, service: 'api', key, address: 'h:1' };
    this.status$ = new BehaviorSubject({ ...status, ...(error === undefined ? {} : { error }) });
  }

  get status(): RegistrationStatus {
    return this.status$.value;
  }

  become(state: State): void {
    this.status$.next({ ...this.status, state });
  }
}

let result: LateRegistrations | undefined | 'waiting';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

async function begin(timeoutMs: number | undefined, ...all: FakeRegistration[]): Promise<void> {
  result = 'waiting';
  void lateRegistrations(all as unknown as Registration[], timeoutMs).then(
    (late) => (result = late),
  );
  await vi.advanceTimersByTimeAsync(0);
}

it('no registration is late if all are in the registry', async () => {
  await begin(1_000, new FakeRegistration('a', 'registered'));
  expect([result, vi.getTimerCount()]).toEqual([undefined, 0]);
  await begin(1_000);
  expect(result).toBeUndefined();
});

it('a registration is not late if it is registered, or removed again, in time', async () => {
  const [one, other] = ['a', 'b'].map((key) => new FakeRegistration(key, 'registering'));
  await begin(1_000, one!, other!);
  one?.become('registered');
  await vi.advanceTimersByTimeAsync(1_499);
  expect(result).toBe('waiting');
  other?.become('deregistered');
  await vi.advanceTimersByTimeAsync(0);
  expect([result, vi.getTimerCount()]).toEqual([undefined, 0]);
});

it.each<State>(['registering', 'unreachable', 'conflict'])(
  'a registration is late if it is still %s after the time of one request and 500 ms',
  async (state) => {
    const error = new DiscoveryError('REGISTRY_UNAVAILABLE', 'away');
    const late = new FakeRegistration('api/h:1', state, error);
    await begin(1_000, late, new FakeRegistration('other', 'registered'));
    await vi.advanceTimersByTimeAsync(1_499);
    expect(result).toBe('waiting');
    await vi.advanceTimersByTimeAsync(1);
    expect(result).toEqual({
      text: 'api/h:1 could not be registered within 1500 ms',
      cause: error,
    });
  },
);

it('the time of one request is 2 s by default', async () => {
  await begin(undefined, new FakeRegistration('a', 'registering'));
  await vi.advanceTimersByTimeAsync(2_499);
  expect(result).toBe('waiting');
  await vi.advanceTimersByTimeAsync(1);
  expect(result).toEqual({ text: 'a could not be registered within 2500 ms', cause: undefined });
});

it('the text names all late registrations', async () => {
  const all = ['a', 'b', 'c'].map((key) => new FakeRegistration(key, 'registering'));
  await begin(500, ...all);
  all[1]?.become('registered');
  await vi.advanceTimersByTimeAsync(1_000);
  expect(result).toMatchObject({ text: 'a, c could not be registered within 1000 ms' });
});
