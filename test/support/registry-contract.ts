/**
 * What every registry adapter promises, as one suite of tests that runs for each adapter. The tests wait for
 * what the registry says, never for a time.
 */
import {
  BehaviorSubject,
  filter,
  firstValueFrom,
  lastValueFrom,
  map,
  type Observable,
  type Subscription,
  takeUntil,
  timer,
  toArray,
} from 'rxjs';
import { afterEach, describe, expect, it } from 'vitest';
import { DiscoveryError } from '../../lib/core/discovery-error.js';
import type { Endpoint, JsonValue } from '../../lib/core/records/endpoint.js';
import type { RegistryUpdate } from '../../lib/core/snapshot/registry-update.js';
import type { Snapshot } from '../../lib/core/snapshot/snapshot.js';
import type { Registration } from '../../lib/registry/registration.js';
import type { Registry } from '../../lib/registry/registry.js';

/** The endpoints of each service that the registry has when a test begins. */
export type SeededServices = Readonly<Record<string, readonly Endpoint[]>>;

/** A registry to test. */
export interface RegistryUnderTest {
  readonly registry: Registry;
  /**
   * Another registry that sees the same records, as another process would; the same object as `registry` if
   * the records are only in that object.
   */
  readonly observer: Registry;
}

/** Creates a registry that no other test uses and that has only these endpoints. */
export type CreateRegistry = (
  services: SeededServices,
) => RegistryUnderTest | Promise<RegistryUnderTest>;

/** An endpoint with an address. */
export function endpointAt(
  address: string,
  metadata: JsonValue = null,
  discovery?: Endpoint['discovery'],
): Endpoint {
  return { address, metadata, ...(discovery === undefined ? {} : { discovery }) };
}

/** Registers endpoints and waits until the registry has each of them. */
export async function announce(
  registry: Registry,
  service: string,
  ...endpoints: readonly Endpoint[]
): Promise<Registration[]> {
  const registrations = endpoints.map((endpoint) =>
    registry.register({ service, endpoint, ttlSeconds: 10 }),
  );
  await Promise.all(registrations.map(untilRegistered));
  return registrations;
}

/** Waits until the registry has the record of a registration. */
export async function untilRegistered({ status$ }: Registration): Promise<void> {
  await firstValueFrom(status$.pipe(filter(({ state }) => state === 'registered')));
}

/**
 * How long a follower waits for a list, in milliseconds. That is shorter than the time limit of a test, so
 * that the failure shows the list.
 */
const LONGEST_MS = 60_000;

/** Watches one service and keeps the updates of the registry. */
export class Follower {
  readonly updates: RegistryUpdate[] = [];
  ended = false;
  private readonly subject = new BehaviorSubject<Snapshot | undefined>(undefined);
  private readonly subscription: Subscription;

  constructor(registry: Registry, service: string) {
    const end = (): void => {
      this.ended = true;
    };
    this.subscription = registry.watch(service).subscribe({
      next: (update) => this.apply(update),
      complete: end,
      error: end,
    });
  }

  /** Waits until exactly these addresses are listed, in any order, and asserts it. */
  async lists(...addresses: readonly string[]): Promise<void> {
    const expected = [...addresses].sort();
    const isListed = (): boolean => this.addresses?.join(' ') === expected.join(' ');
    await this.until(isListed, { isRequired: false });
    expect(this.addresses).toEqual(expected);
  }

  /** The listed addresses in alphabetical order; `undefined` before the first list. */
  get addresses(): readonly string[] | undefined {
    return (
      this.subject.value && [...this.subject.value.values()].map(({ address }) => address).sort()
    );
  }

  /** The process behind each address, if the registry can tell. */
  get incarnations(): readonly (string | undefined)[] {
    return [...(this.subject.value?.values() ?? [])].map(({ incarnation }) => incarnation);
  }

  /**
   * Waits until the list, without incarnations, is as wanted, but no longer than {@link LONGEST_MS}.
   *
   * @throws if the list did not become as wanted, unless `isRequired` is false: then the caller asserts the
   *   list
   */
  async until(
    isWanted: (endpoints: readonly Endpoint[]) => boolean,
    { isRequired = true }: { readonly isRequired?: boolean } = {},
  ): Promise<readonly Endpoint[]> {
    const lists: Observable<readonly Endpoint[]> = this.subject.pipe(
      filter((snapshot) => snapshot !== undefined),
      map((snapshot) =>
        [...snapshot.values()].map(({ address, metadata, discovery }) =>
          endpointAt(address, metadata, discovery),
        ),
      ),
    );
    const wanted = await firstValueFrom(
      lists.pipe(filter(isWanted), takeUntil(timer(LONGEST_MS))),
      { defaultValue: undefined },
    );
    if (wanted === undefined && isRequired) {
      throw new Error(`the list did not become as wanted within ${LONGEST_MS} ms`);
    }
    return wanted ?? [];
  }

  stop(): void {
    this.subscription.unsubscribe();
  }

  private apply(update: RegistryUpdate): void {
    this.updates.push(update);
    if (update.kind === 'reset') this.subject.next(update.snapshot);
    if (update.kind === 'change') {
      const next = new Map(this.subject.value);
      for (const key of update.change.removed) next.delete(key);
      for (const [key, endpoint] of update.change.put) next.set(key, endpoint);
      this.subject.next(next);
    }
  }
}

/**
 * Runs the suite for one adapter. `readOnly`: leaves out what needs registrations, and tests that the
 * registry refuses them.
 */
export function describeRegistryContract(
  name: string,
  createRegistry: CreateRegistry,
  { readOnly = false }: { readonly readOnly?: boolean } = {},
): void {
  describe(`the contract of every registry, kept by ${name}`, () => {
    const opened = new Set<Registry>();
    const followers = new Set<Follower>();

    const create = async (services: SeededServices = {}): Promise<RegistryUnderTest> => {
      const { registry, observer } = await createRegistry(services);
      opened.add(registry).add(observer);
      return { registry, observer };
    };
    const follow = (registry: Registry, service: string): Follower => {
      const follower = new Follower(registry, service);
      followers.add(follower);
      return follower;
    };

    afterEach(async () => {
      for (const follower of followers) follower.stop();
      await Promise.all([...opened].map((registry) => registry.close()));
      followers.clear();
      opened.clear();
    });

    describe('a registry', () => {
      const [one, two] = [endpointAt('10.0.0.1:1', { weight: 2, zone: 'a' }), endpointAt('h:2')];

      it('starts a watch with the whole list', async () => {
        const { registry } = await create({ api: [one, two] });
        const follower = follow(registry, 'api');
        await follower.lists(one.address, two.address);
        const [first, ...others] = follower.updates;
        expect(first?.kind).toBe('reset');
        expect(others).toEqual([]);
      });

      it('lists endpoints with their metadata', async () => {
        const { registry } = await create({ api: [one, two] });
        const endpoints = await follow(registry, 'api').until((list) => list.length === 2);
        expect(endpoints).toContainEqual(one);
        expect(endpoints).toContainEqual(two);
      });

      it('starts the watch on an unknown service with an empty list', async () => {
        const { registry } = await create({ api: [one] });
        const follower = follow(registry, 'nobody');
        await follower.lists();
        expect(follower.updates).toEqual([{ kind: 'reset', snapshot: new Map() }]);
        expect(follower.ended).toBe(false);
      });

      it('does not mix services whose names begin alike or contain each other', async () => {
        const { registry } = await create({
          api: [endpointAt('h:1')],
          api2: [endpointAt('h:2')],
          'team/api': [endpointAt('h:3')],
          'team/api2': [endpointAt('h:4')],
        });
        await follow(registry, 'api').lists('h:1');
        await follow(registry, 'api2').lists('h:2');
        await follow(registry, 'team/api').lists('h:3');
        await follow(registry, 'team/api2').lists('h:4');
      });

      it('sends every watcher the same updates, whenever its watch begins', async () => {
        const { registry } = await create({ api: [one, two] });
        const early = follow(registry, 'api');
        await early.lists(one.address, two.address);
        const late = follow(registry, 'api');
        await late.lists(one.address, two.address);
        expect(late.updates).toEqual(early.updates);
        early.stop();
        expect(late.ended).toBe(false);
      });

      it('starts again with a whole list when a watcher subscribes again', async () => {
        const { registry } = await create({ api: [one] });
        const watch = registry.watch('api');
        for (let round = 0; round < 3; round++) {
          const first = await firstValueFrom(watch);
          expect(first.kind).toBe('reset');
        }
      });

      it('accepts the hint that a list may be stale, for any service', async () => {
        const { registry } = await create({ api: [one] });
        const follower = follow(registry, 'api');
        await follower.lists(one.address);
        registry.refresh('api');
        registry.refresh('nobody');
        await follower.lists(one.address);
        expect(follower.ended).toBe(false);
      });

      it('has a scheme in lower case, and describes where a service is found', async () => {
        const { registry } = await create();
        expect(registry.scheme).toMatch(/^[a-z][a-z0-9+.-]*$/);
        expect(registry.describe('some-service')).toContain('some-service');
      });

      it('may be closed several times', async () => {
        const { registry } = await create({ api: [one] });
        const follower = follow(registry, 'api');
        await follower.lists(one.address);
        const closes = await Promise.all([registry.close(), registry.close()]);
        expect([...closes, await registry.close()]).toEqual([undefined, undefined, undefined]);
      });
    });

    if (readOnly) {
      it('refuses a registration with an error that says read-only', async () => {
        const { registry } = await create();
        const register = (): unknown =>
          registry.register({ service: 'api', endpoint: endpointAt('h:1'), ttlSeconds: 10 });
        expect(register).toThrow(DiscoveryError);
        expect(register).toThrow(/^\[INVALID_OPTION\] service "api" .* read-only$/);
      });
      return;
    }

    describe('a registration', () => {
      it('is seen by every watcher, of this registry and of another one on the same records', async () => {
        const { registry, observer } = await create();
        const all = [follow(registry, 'api'), follow(observer, 'api'), follow(observer, 'api')];
        await Promise.all(all.map((follower) => follower.lists()));
        await announce(registry, 'api', endpointAt('h:1', { weight: 3 }));
        for (const follower of all) {
          await follower.lists('h:1');
          const [endpoint] = await follower.until(() => true);
          expect(endpoint).toEqual(endpointAt('h:1', { weight: 3 }));
          expect(follower.updates.map(({ kind }) => kind)).toEqual(['reset', 'change']);
        }
      });

      it('has fields under `discovery` beside its metadata; an update changes or removes them and keeps the metadata', async () => {
        const { registry, observer } = await create();
        const [before, after] = [{ weight: 3, zone: 'a' }, { weight: 4 }];
        const [registration] = await announce(registry, 'api', endpointAt('h:1', 'mine', before));
        const follower = follow(observer, 'api');
        const [first] = await follower.until(() => true);
        expect(first).toEqual(endpointAt('h:1', 'mine', before));
        registration?.update(endpointAt('h:1', 'mine', after));
        const [second] = await follower.until(([endpoint]) => endpoint?.discovery?.weight === 4);
        expect(second).toEqual(endpointAt('h:1', 'mine', after));
        registration?.update(endpointAt('h:1', 'mine'));
        const [third] = await follower.until(([endpoint]) => endpoint?.discovery === undefined);
        expect(third).toEqual(endpointAt('h:1', 'mine'));
      });

      it('changes its metadata in place, and nothing else', async () => {
        const { registry, observer } = await create({ api: [endpointAt('h:9')] });
        const [registration] = await announce(registry, 'api', endpointAt('h:1', { weight: 1 }));
        const follower = follow(observer, 'api');
        await follower.lists('h:1', 'h:9');
        registration?.update(endpointAt('h:1', { weight: 7 }));
        const changed = await follower.until((list) =>
          list.some(({ metadata }) => JSON.stringify(metadata) === '{"weight":7}'),
        );
        expect(changed).toHaveLength(2);
        expect(changed).toContainEqual(endpointAt('h:9'));
        expect(registration?.status.state).toBe('registered');
        const last = follower.updates.at(-1);
        expect(last?.kind === 'change' ? last.change.removed : last).toEqual([]);
      });

      it('keeps its incarnation through changes; a new registration of the same address has another', async () => {
        const { registry, observer } = await create();
        const follower = follow(observer, 'api');
        const [registration] = await announce(registry, 'api', endpointAt('h:1'));
        await follower.lists('h:1');
        const first = follower.incarnations;
        registration?.update(endpointAt('h:1', 'changed'));
        await follower.until(([endpoint]) => endpoint?.metadata === 'changed');
        expect(follower.incarnations).toEqual(first);
        await registration?.close();
        await follower.lists();
        await announce(registry, 'api', endpointAt('h:1'));
        await follower.lists('h:1');
        // The incarnations of the first and the second registration differ, if the registry has incarnations.
        expect(follower.incarnations).toHaveLength(1);
        expect(follower.incarnations[0] !== first[0]).toBe(first[0] !== undefined);
      });

      it('has the content of the last of several changes that follow each other at once', async () => {
        const { registry, observer } = await create();
        const [registration] = await announce(registry, 'api', endpointAt('h:1'));
        for (let version = 1; version <= 20; version++) {
          registration?.update(endpointAt('h:1', { version }));
        }
        const follower = follow(observer, 'api');
        const [last] = await follower.until(
          ([endpoint]) => JSON.stringify(endpoint?.metadata) === '{"version":20}',
        );
        expect(last).toEqual(endpointAt('h:1', { version: 20 }));
        expect(follower.addresses).toEqual(['h:1']);
      });

      it('is removed by its own close, and other registrations stay', async () => {
        const { registry, observer } = await create();
        const [first] = await announce(registry, 'api', endpointAt('h:1'), endpointAt('h:2'));
        const follower = follow(observer, 'api');
        await follower.lists('h:1', 'h:2');
        await first?.close();
        await follower.lists('h:2');
      });

      it('is removed when its close resolves', async () => {
        const { registry, observer } = await create();
        const [registration] = await announce(registry, 'api', endpointAt('h:1'));
        await registration?.close();
        const late = follow(observer, 'api');
        await late.until(() => true);
        expect(late.updates).toEqual([{ kind: 'reset', snapshot: new Map() }]);
      });

      it('does not come back by an update after its close', async () => {
        const { registry, observer } = await create();
        const [registration] = await announce(registry, 'api', endpointAt('h:1'));
        const closing = registration?.close();
        registration?.update(endpointAt('h:1', { weight: 2 }));
        await closing;
        registration?.update(endpointAt('h:1', { weight: 3 }));
        await announce(registry, 'api', endpointAt('h:2'));
        await follow(observer, 'api').lists('h:2');
      });

      it('that is closed at once leaves no record', async () => {
        const { registry, observer } = await create();
        const hasty = registry.register({
          service: 'api',
          endpoint: endpointAt('h:1'),
          ttlSeconds: 10,
        });
        await hasty.close();
        expect(hasty.status.state).toBe('deregistered');
        await announce(registry, 'api', endpointAt('h:2'));
        await follow(observer, 'api').lists('h:2');
      });

      it('of the same endpoint can be made again after its close', async () => {
        const { registry, observer } = await create();
        const follower = follow(observer, 'api');
        for (let round = 0; round < 3; round++) {
          const [registration] = await announce(registry, 'api', endpointAt('h:1'));
          await follower.lists('h:1');
          await registration?.close();
          await follower.lists();
        }
      });

      it('is seen only by watchers of its own service', async () => {
        const { registry, observer } = await create();
        const [api, api2] = [follow(observer, 'api'), follow(observer, 'api2')];
        await Promise.all([api.lists(), api2.lists()]);
        await announce(registry, 'api2', endpointAt('h:2'));
        await announce(registry, 'api/v2', endpointAt('h:3'));
        await api2.lists('h:2');
        await announce(registry, 'other/api', endpointAt('h:4'));
        await follow(observer, 'other/api').lists('h:4');
        expect(api2.updates.map(({ kind }) => kind)).toEqual(['reset', 'change']);
      });

      it('is not sent to a watcher that has unsubscribed', async () => {
        const { registry, observer } = await create();
        const [gone, stays] = [follow(observer, 'api'), follow(observer, 'api')];
        await Promise.all([gone.lists(), stays.lists()]);
        gone.stop();
        const told = gone.updates.length;
        await announce(registry, 'api', endpointAt('h:1'));
        await stays.lists('h:1');
        expect(gone.updates).toHaveLength(told);
      });

      it('of one address under two keys makes two records', async () => {
        const { registry, observer } = await create();
        const [first, second] = ['x', 'y'].map((key) =>
          registry.register({ service: 'api', endpoint: endpointAt('h:1'), ttlSeconds: 10, key }),
        );
        const follower = follow(observer, 'api');
        await follower.lists('h:1', 'h:1');
        expect(first?.status.key).toMatch(/api\/x$/);
        await first?.close();
        await follower.lists('h:1');
        await second?.close();
        await follower.lists();
      });

      it('has the state registered, then deregistered, and no state after that', async () => {
        const { registry } = await create();
        const registration = registry.register({
          service: 'team/api',
          endpoint: endpointAt('h:1'),
          ttlSeconds: 10,
        });
        const states = lastValueFrom(
          registration.status$.pipe(
            map(({ state }) => state),
            toArray(),
          ),
        );
        await untilRegistered(registration);
        expect(registration.status).toMatchObject({ service: 'team/api', address: 'h:1' });
        expect(registration.status.key).toMatch(/team\/api\/h:1$/);
        await registration.close();
        // A registry that registers at once never reports the state `registering`.
        const told = (await states).filter((state) => state !== 'registering');
        expect(told).toEqual(['registered', 'deregistered']);
      });

      it('may be closed several times, and its close never rejects', async () => {
        const { registry } = await create();
        const [registration] = await announce(registry, 'api', endpointAt('h:1'));
        expect(registration?.close()).toBe(registration?.close());
        await registration?.close();
        await registration?.close();
        expect(registration?.status.state).toBe('deregistered');
      });

      it('emits an event when its record is added, and when it is removed', async () => {
        const { registry } = await create();
        const events: string[] = [];
        const subscription = registry.events$.subscribe((event) => {
          if (event.type === 'registered' || event.type === 'deregistered') {
            events.push(`${event.type} ${event.key.slice(event.key.indexOf('api'))}`);
          }
        });
        const [registration] = await announce(registry, 'api', endpointAt('h:1'));
        await registration?.close();
        subscription.unsubscribe();
        expect(events).toEqual(['registered api/h:1', 'deregistered api/h:1']);
      });

      it('ends when the registry closes, which removes every record', async () => {
        const { registry, observer } = await create();
        const registrations = [
          ...(await announce(registry, 'api', endpointAt('h:1'), endpointAt('h:2'))),
          ...(await announce(registry, 'web', endpointAt('h:3'))),
        ];
        const [api, web] = [follow(observer, 'api'), follow(observer, 'web')];
        await Promise.all([api.lists('h:1', 'h:2'), web.lists('h:3')]);
        await registry.close();
        for (const { status } of registrations) expect(status.state).toBe('deregistered');
        await Promise.all([api.lists(), web.lists()]);
        await Promise.all(registrations.map((registration) => registration.close()));
      });
    });
  });
}
