import { BehaviorSubject, NEVER } from 'rxjs';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import {
  type DiscoveryModuleOptions,
  type Endpoint,
  type Registration,
  type RegistrationRequest,
  type RegistrationStatus,
  Registry,
} from 'nestjs-grpc-discovery';
import { CallTracker } from '../../../../lib/grpc/server/call-tracker.js';
import { validateOptions } from '../../../../lib/nest/options/validate-options.js';
import type { ResolvedService } from '../../../../lib/nest/options/validate-service.js';
import { Announcements } from '../../../../lib/nest/server/announcements.js';
import type { BoundServer } from '../../../../lib/nest/server/grpc-servers.service.js';

/** A registry that records all registrations and updates that it receives. */
class NotingRegistry extends Registry {
  readonly scheme = 'noting';
  readonly requests: RegistrationRequest[] = [];
  readonly updates: Endpoint[] = [];
  readonly statuses: BehaviorSubject<RegistrationStatus>[] = [];
  /** How long the registry takes to remove a record, in milliseconds. */
  closeMs = 0;

  override watch(): typeof NEVER {
    return NEVER;
  }

  override register(request: RegistrationRequest): Registration {
    const { service, endpoint } = request;
    this.requests.push(request);
    const key = `${service}/${request.key ?? endpoint.address}`;
    const status$ = new BehaviorSubject<RegistrationStatus>({
      state: 'registering',
      service,
      key,
      address: endpoint.address,
    });
    this.statuses.push(status$);
    return {
      get status() {
        return status$.value;
      },
      status$,
      update: (next) => this.updates.push(next),
      close: () =>
        new Promise((resolve) => {
          setTimeout(resolve, this.closeMs);
        }),
    };
  }
}

let registry: NotingRegistry;
let changes: number;
let announcements: Announcements;

beforeEach(() => {
  vi.useFakeTimers();
  registry = new NotingRegistry();
  changes = 0;
  announcements = new Announcements(registry, undefined, () => changes++);
});
afterEach(() => {
  vi.useRealTimers();
});

function serviceOf(given: Partial<ResolvedService> & { weight?: number } = {}): ResolvedService {
  const service = { name: 'api', ...given } as DiscoveryModuleOptions['service'];
  const [resolved] = validateOptions({ registry, service }, {}).services;
  if (resolved === undefined) throw new Error('there is no service');
  return resolved;
}

function serverOf(port: number): BoundServer {
  const url = `127.0.0.1:${port}`;
  const server = {} as BoundServer['server'];
  return { url, packages: [`package${port}`], addresses: [url], server, calls: new CallTracker() };
}

it("a registration has the key and the time to live of its service's options", () => {
  announcements.add(serviceOf({ key: 'main', ttlSeconds: 7 }), serverOf(1), 'h:1');
  expect(registry.requests).toEqual([
    {
      service: 'api',
      key: 'main',
      ttlSeconds: 7,
      endpoint: { address: 'h:1', metadata: null },
    },
  ]);
});

it('a registration of a service without an option key leaves the key to the registry', () => {
  announcements.add(serviceOf(), serverOf(1), 'h:1');
  expect(registry.requests[0]).not.toHaveProperty('key');
});

it('a record contains the weight of its service and the maximum age of connections', () => {
  announcements = new Announcements(registry, 60_000, () => changes++);
  announcements.add(serviceOf({ weight: 3 }), serverOf(1), 'h:1');
  expect(registry.requests[0]?.endpoint.discovery).toEqual({
    weight: 3,
    maxConnectionAgeMs: 60_000,
  });
});

it('a service is announced once per server, and once per address', () => {
  const [one, other] = [serverOf(1), serverOf(2)];
  const service = serviceOf();
  expect(announcements.has(service, one, 'h:1')).toBe(false);
  announcements.add(service, one, 'h:1');
  expect(announcements.has(service, one, 'h:2')).toBe(true);
  expect(announcements.has(service, other, 'h:1')).toBe(true);
  expect(announcements.has(service, other, 'h:2')).toBe(false);
  expect(announcements.has(serviceOf({ name: 'other' }), one, 'h:1')).toBe(false);
});

it('a service with a key is announced once, whatever the server and the address', () => {
  const service = serviceOf({ key: 'main' });
  announcements.add(service, serverOf(1), 'h:1');
  expect(announcements.has(service, serverOf(2), 'h:2')).toBe(true);
});

it("each change of a registration's status is reported until its record is withdrawn", async () => {
  const added = announcements.add(serviceOf(), serverOf(1), 'h:1');
  expect(announcements.statuses).toMatchObject([{ state: 'registering' }]);
  const before = changes;
  const [status] = registry.statuses;
  status?.next({ ...added.registration.status, state: 'registered' });
  expect(changes).toBe(before + 1);
  const withdrawn = announcements.withdraw([added]);
  await vi.advanceTimersByTimeAsync(0);
  await withdrawn;
  expect(announcements.list()).toEqual([]);
  expect(changes).toBe(before + 2);
  status?.next({ ...added.registration.status, state: 'deregistered' });
  expect(changes).toBe(before + 2);
});

it('lastWithdrawalMs is the time when the registry has removed the records', async () => {
  registry.closeMs = 700;
  const startMs = performance.now();
  expect(announcements.lastWithdrawalMs).toBe(-Infinity);
  const all = [1, 2].map((port) => announcements.add(serviceOf(), serverOf(port), `h:${port}`));
  void announcements.withdraw(all);
  await vi.advanceTimersByTimeAsync(699);
  expect(announcements.list()).toHaveLength(2);
  await vi.advanceTimersByTimeAsync(1);
  expect(announcements.lastWithdrawalMs).toBe(startMs + 700);
  expect(announcements.list()).toEqual([]);
});

it('lastWithdrawalMs does not change when no record is withdrawn', async () => {
  await announcements.withdraw([]);
  expect(announcements.lastWithdrawalMs).toBe(-Infinity);
});

it('an update changes the present and future records of its service, and no others', () => {
  const [service, other] = [serviceOf(), serviceOf({ name: 'other' })];
  announcements.add(service, serverOf(1), 'h:1');
  announcements.add(other, serverOf(1), 'h:2');
  announcements.update(service, { weight: 3 });
  announcements.update(service, { zone: 'a' });
  expect(registry.updates).toEqual([
    { address: 'h:1', metadata: null, discovery: { weight: 3 } },
    { address: 'h:1', metadata: null, discovery: { weight: 3, zone: 'a' } },
  ]);
  announcements.add(service, serverOf(3), 'h:3');
  announcements.add(other, serverOf(3), 'h:4');
  expect(registry.requests.slice(2).map(({ endpoint }) => endpoint)).toEqual([
    { address: 'h:3', metadata: null, discovery: { weight: 3, zone: 'a' } },
    { address: 'h:4', metadata: null },
  ]);
});

it('a record with an address from the options is handed over to another server that offers the service', () => {
  const [one, other, third] = [serverOf(1), serverOf(2), serverOf(3)];
  const given = announcements.add(
    serviceOf({ address: 'public:80', server: undefined }),
    one,
    'public:80',
  );
  const own = announcements.add(serviceOf({ name: 'own' }), one, 'h:1');
  announcements.handOver(one, [other, third]);
  expect([given.server, own.server]).toEqual([other, one]);
  expect(announcements.list(one)).toEqual([own]);
  announcements.handOver(other, []);
  expect(given.server).toBe(other);
});

it('a record with an address from the options is not handed over to a server that does not offer the service', () => {
  const [one, other, third] = [serverOf(1), serverOf(2), serverOf(3)];
  const given = announcements.add(
    { ...serviceOf({ address: 'public:80' }), server: 'package3' },
    one,
    'public:80',
  );
  announcements.handOver(one, [other, third]);
  expect(given.server).toBe(third);
});
