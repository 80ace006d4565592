import { type ChannelOptions, Metadata, type ServiceConfig } from '@grpc/grpc-js';
import { BehaviorSubject, type Observable, of, Subject as RxSubject } from 'rxjs';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { DiscoveryEvent } from '../../../../lib/core/discovery-event.js';
import { BALANCER_NAME } from '../../../../lib/grpc/balancer/balancer-config.js';
import { withChannelDiscovery } from '../../../../lib/grpc/resolver/channel-discovery.js';
import {
  CONFIG_SELECTOR,
  type ConfigSelector,
  type ResolverListener,
} from '../../../../lib/grpc/grpc-js/grpc-experimental.js';
import {
  type DefaultPool,
  RegistryResolver,
} from '../../../../lib/grpc/resolver/registry-resolver.js';
import { discoveredFacts } from '../../../../lib/grpc/resolved-endpoint.js';
import { DirectoryPool } from '../../../../lib/registry/directory/directory-pool.js';
import { MemoryRegistry } from '../../../../lib/registry/memory-registry.js';
import { FakeClock } from '../../../../lib/testing/fake-clock.js';
import { splitTarget } from '../../../support/split-target.js';
import { ScriptedRegistry } from '../../registry/scripted-registry.js';

/** What a resolver reported to its channel. */
interface Told {
  /** `host:port` of each endpoint, or the path of a unix socket; `undefined` for a failure. */
  readonly addresses: readonly string[] | undefined;
  /** The code of a failure; `undefined` for a list. */
  readonly code: number | undefined;
  readonly note: string;
  readonly serviceConfig: ServiceConfig | undefined;
}

/** The texts of all failures, and the note of each; for a list its note twice. */
let details: string[];
let notes: string[];
afterEach(() => {
  expect(details).toEqual(notes);
});

/** A resolver, and a channel that records its reports. */
class Subject {
  readonly told: Told[] = [];
  readonly resolver: RegistryResolver;

  constructor(target: string, options: ChannelOptions, pool: DefaultPool = () => undefined) {
    const listener: ResolverListener = (endpoints, _attributes, config, note) => {
      const serviceConfig = config?.ok === true ? (config.value as ServiceConfig) : undefined;
      const addresses = endpoints.ok
        ? endpoints.value.flatMap((endpoint) =>
            endpoint.addresses.map((address) =>
              'path' in address ? address.path : `${address.host}:${address.port}`,
            ),
          )
        : undefined;
      const code = endpoints.ok ? undefined : endpoints.error.code;
      details.push(endpoints.ok ? note : endpoints.error.details);
      notes.push(note);
      this.told.push({ addresses, code, note, serviceConfig });
      return true;
    };
    this.resolver = new RegistryResolver(splitTarget(target), listener, options, pool);
  }

  /** Starts the resolver, and waits until it may answer. */
  async start(): Promise<this> {
    this.resolver.updateResolution();
    await Promise.resolve();
    return this;
  }

  get last(): Told | undefined {
    return this.told.at(-1);
  }
}

const SERVICE_CONFIG: ServiceConfig = { loadBalancingConfig: [], methodConfig: [] };
const UNAVAILABLE = 14;
let clock: FakeClock;
let registry: ScriptedRegistry;
let pool: DirectoryPool;

beforeEach(() => {
  details = [];
  notes = [];
  clock = new FakeClock();
  registry = new ScriptedRegistry();
  pool = new DirectoryPool(registry, { clock });
});

function subject(target = 'scripted:///api', options: ChannelOptions = {}): Subject {
  return new Subject(
    target,
    withChannelDiscovery(options, { pool, serviceConfig: SERVICE_CONFIG }),
  );
}

describe('a resolver', () => {
  it('reports nothing before the registry has answered', async () => {
    const { told } = await subject().start();
    expect(told).toEqual([]);
    expect(registry.started).toEqual(['api']);
  });

  it('reports the first list, then each change', async () => {
    const channel = await subject().start();
    registry.reset('api', 'h:1', '[::1]:2', 'unix:/tmp/x');
    expect(channel.last).toMatchObject({
      addresses: ['h:1', '::1:2', '/tmp/x'],
      note: '3 in scripted registry, service "api"',
    });
    clock.advance(50);
    registry.remove('api', 'h:1');
    expect(channel.last?.addresses).toEqual(['::1:2', '/tmp/x']);
    expect(channel.told).toHaveLength(2);
  });

  it("reports the first page of a list to our balancer, and not to gRPC's own", async () => {
    const ours = await subject().start();
    const plain = new Subject('scripted:///api', { 'grpc.service_config': '{}' }, () => pool);
    await plain.start();
    registry.begin('api', 'h:1');
    expect([ours.last?.addresses, plain.last?.addresses]).toEqual([['h:1'], undefined]);
    registry.reset('api', 'h:1', 'h:2');
    expect([ours.last?.addresses, plain.last?.addresses]).toEqual([
      ['h:1', 'h:2'],
      ['h:1', 'h:2'],
    ]);
  });

  it('never answers during updateResolution(), even if the list is known', async () => {
    pool.acquire('api');
    registry.reset('api', 'h:1');
    const channel = subject();
    channel.resolver.updateResolution();
    expect(channel.told).toEqual([]);
    await Promise.resolve();
    expect(channel.told).toHaveLength(1);
  });

  it('reports each endpoint with its facts, as the same object while it is listed', async () => {
    const lists: (readonly object[])[] = [];
    const resolver = new RegistryResolver(
      splitTarget('scripted:///api'),
      (endpoints) => {
        if (endpoints.ok) lists.push(endpoints.value);
        return true;
      },
      withChannelDiscovery({}, { pool, serviceConfig: SERVICE_CONFIG }),
      () => undefined,
    );
    resolver.updateResolution();
    await Promise.resolve();
    const endpoint = { address: 'h:1', metadata: { weight: 3 } };
    registry.reset('api', endpoint);
    clock.advance(50);
    registry.put('api', 'h:2');
    const [first, second] = lists;
    expect(second?.[0]).toBe(first?.[0]);
    const facts = discoveredFacts(first as Parameters<typeof discoveredFacts>[0]);
    expect(facts.map((one) => one.endpoint)).toEqual([endpoint]);
  });

  it('reports the service config of its channel with every answer', async () => {
    const channel = await subject().start();
    registry.fail('api');
    registry.reset('api', 'h:1');
    expect(channel.told.map(({ serviceConfig }) => serviceConfig)).toEqual([
      SERVICE_CONFIG,
      SERVICE_CONFIG,
    ]);
  });

  it('refreshes the list when updateResolution() is called again', async () => {
    const channel = await subject().start();
    await channel.start();
    await channel.start();
    expect(registry.started).toEqual(['api']);
    expect(registry.refreshed).toEqual(['api', 'api']);
  });
});

describe('a resolver without endpoints', () => {
  it('fails calls with service, place and reason if an error comes before any list', async () => {
    const channel = await subject().start();
    registry.fail('api', 'no connection');
    expect(channel.last).toMatchObject({
      addresses: undefined,
      code: UNAVAILABLE,
      note: 'service "api" cannot be resolved from scripted registry, service "api": [REGISTRY_UNAVAILABLE] no connection',
    });
  });

  it('reports an empty list, with a note of service, place and the state of the registry', async () => {
    const channel = await subject().start();
    registry.reset('api');
    expect(channel.last).toMatchObject({
      addresses: [],
      note: '[NO_ENDPOINTS] service "api" has no endpoint in scripted registry, service "api"; the registry answers, no server is registered',
    });
    registry.fail('api', 'no connection');
    expect(channel.last?.note).toBe(
      '[NO_ENDPOINTS] service "api" has no endpoint in scripted registry, service "api"; last error: [REGISTRY_UNAVAILABLE] no connection',
    );
  });

  it('names the records that are left out in the note of a list, for the error of failed calls', async () => {
    const channel = await subject().start();
    registry.say('api', {
      kind: 'reset',
      snapshot: new Map([['api/h:1', { address: 'h:1', metadata: null }]]),
      ignored: [
        {
          kind: 'no-dialable-address',
          count: 1,
          key: 'api/x\n',
          reason: 'Addr "a" has no port',
        },
      ],
    });
    expect(channel.last?.note).toBe(
      String.raw`1 in scripted registry, service "api"; 1 record is left out: 1 has no dialable address (api/x\n: Addr "a" has no port)`,
    );
  });

  it('says in the note of an empty list how many records are left out, and why', async () => {
    const channel = await subject().start();
    registry.say('api', {
      kind: 'reset',
      snapshot: new Map(),
      ignored: [
        {
          kind: 'no-dialable-address',
          count: 2,
          key: 'api/x\n',
          reason: 'Addr is missing or empty',
        },
        { kind: 'kratos', count: 1, key: 'api/y', reason: 'its endpoints is []' },
      ],
    });
    const place =
      '[NO_ENDPOINTS] service "api" has no endpoint in scripted registry, service "api"';
    const leftOut = String.raw`3 records are left out: 2 have no dialable address, e.g. api/x\n: Addr is missing or empty; 1 is in the format of kratos (api/y: its endpoints is [])`;
    expect(channel.last?.note).toBe(`${place}; the registry answers, ${leftOut}`);
    registry.fail('api', 'no connection');
    expect(channel.last?.note).toBe(
      `${place}; last error: [REGISTRY_UNAVAILABLE] no connection; ${leftOut}`,
    );
    clock.advance(50);
    registry.reset('api');
    expect(channel.last?.note).toBe(`${place}; the registry answers, no server is registered`);
  });

  it('escapes control characters of a target in notes', async () => {
    const channel = await subject('scripted:///a%0A%1B[2J').start();
    registry.reset('a\n\u001b[2J');
    expect(channel.last?.note).toContain(String.raw`service "a\n\u001b[2J" has no endpoint`);
    registry.fail('a\n\u001b[2J');
    expect(channel.last?.note).not.toMatch(/\p{Cc}/u);
  });

  it("reports an empty list as a failure to gRPC's own balancers, which would leave calls waiting", async () => {
    const channel = new Subject('scripted:///api', { 'grpc.service_config': '{}' }, () => pool);
    await channel.start();
    registry.reset('api');
    expect(channel.last).toMatchObject({ addresses: undefined, code: UNAVAILABLE });
    expect(channel.last?.note).toContain('[NO_ENDPOINTS] service "api"');
  });

  it('keeps reporting the last good list while the registry is away', async () => {
    const channel = await subject().start();
    registry.reset('api', 'h:1');
    registry.fail('api');
    expect(channel.last?.addresses).toEqual(['h:1']);
    registry.reset('api', 'h:1');
    expect(channel.last?.addresses).toEqual(['h:1']);
  });

  it('reports endpoints that join later', async () => {
    const channel = await subject().start();
    registry.fail('api');
    registry.reset('api');
    registry.put('api', 'h:1');
    clock.advance(50);
    expect(channel.told.map(({ addresses }) => addresses)).toEqual([undefined, [], ['h:1']]);
  });
});

describe('a target', () => {
  it.each([
    ['scripted:api', 'api'],
    ['SCRIPTED:///team%2Fapi', 'team/api'],
    ['scripted://ignored/api?x', 'api'],
  ])('%s means the service %s', async (target, service) => {
    await subject(target).start();
    expect(registry.started).toEqual([service]);
  });

  it.each([
    ['scripted:///', 'names no service'],
    ['scripted:///%zz', 'malformed percent escape'],
  ])('%s is invalid: calls fail with the reason', async (target, reason) => {
    const channel = await subject(target).start();
    expect(channel.last?.code).toBe(UNAVAILABLE);
    expect(channel.last?.note).toContain('[INVALID_TARGET]');
    expect(channel.last?.note).toContain(reason);
    expect(registry.started).toEqual([]);
  });

  it('without a registry for its scheme makes calls fail, with an error that says what to do', async () => {
    const channel = await new Subject('user:///api', {}).start();
    expect(channel.last?.note).toBe(
      '[INVALID_TARGET] no registry is registered for scheme "user"; call registerDiscoveryResolver(registry) first',
    );
  });

  it('is resolved by the registry of its scheme in lower case', async () => {
    const asked: string[] = [];
    const lookUp: DefaultPool = (scheme) => {
      asked.push(scheme);
      return pool;
    };
    await new Subject('SCRIPTED:///api', {}, lookUp).start();
    expect(asked).toEqual(['scripted']);
    expect(registry.started).toEqual(['api']);
  });

  it.each([
    ['etcd:///api', 'api'],
    ['etcd:///svc.v1.2', 'svc-v1-2'],
    ['etcd:///a%2Fb', 'a-b'],
    ['etcd:///', 'invalid-target'],
    ['etcd:///%zz', 'invalid-target'],
  ])('%s has the authority %s', (target, authority) => {
    expect(RegistryResolver.getDefaultAuthority(splitTarget(target))).toBe(authority);
  });
});

describe('the service config of a channel', () => {
  it("makes the channel use this library's balancer by default", async () => {
    const channel = await new Subject('scripted:///api', {}, () => pool).start();
    registry.reset('api', 'h:1');
    const [entry] = channel.last?.serviceConfig?.loadBalancingConfig ?? [];
    expect(Object.keys(entry ?? {})).toEqual([BALANCER_NAME]);
  });

  it('is not reported to a plain channel that has a service config in its options', async () => {
    const options = { 'grpc.service_config': '{"loadBalancingConfig":[]}' };
    const channel = await new Subject('scripted:///api', options, () => pool).start();
    registry.reset('api', 'h:1');
    expect(channel.last).toMatchObject({ addresses: ['h:1'], serviceConfig: undefined });
  });

  it('is the one that withChannelDiscovery() was given, even if grpc.service_config contains another', async () => {
    const channel = await subject(undefined, { 'grpc.service_config': '{}' }).start();
    registry.reset('api', 'h:1');
    expect(channel.last?.serviceConfig).toBe(SERVICE_CONFIG);
  });
});

/** A service config that sets the timeout of one method. */
const timeoutOf = (method: string) =>
  JSON.stringify({ methodConfig: [{ name: [{ service: 'user.User', method }], timeout: '1s' }] });

describe('a service config that the service publishes', () => {
  class PublishingRegistry extends ScriptedRegistry {
    readonly text$ = new BehaviorSubject<string | undefined>(undefined);

    override watchServiceConfig(): BehaviorSubject<string | undefined> {
      return this.text$;
    }
  }

  const LOGIN = { service: 'user.User', method: 'Login', callName: 'login' };

  let publishing: PublishingRegistry;
  let events: DiscoveryEvent[];

  /** Starts a channel whose service publishes a text, and has one endpoint. */
  async function startWith(text: string): Promise<Subject> {
    publishing = new PublishingRegistry();
    publishing.text$.next(text);
    events = [];
    pool = new DirectoryPool(publishing, { clock });
    pool.events$.subscribe((event) => events.push(event));
    const choices = {
      balancing: undefined,
      retries: true,
      timeouts: true,
      waitForReady: true,
      unaries: new Set<string>(),
      streams: new Set<string>(),
      methods: [{ ...LOGIN, isStreaming: false, isIdempotent: false }],
    };
    const options = withChannelDiscovery({}, { pool, serviceConfig: SERVICE_CONFIG, choices });
    const channel = await new Subject('scripted:///api', options).start();
    publishing.reset('api', 'h:1');
    events.length = 0;
    return channel;
  }

  it('is reported with the list again when it changes', async () => {
    const channel = await startWith('{}');
    const before = channel.told.length;
    publishing.text$.next(timeoutOf('Login'));
    expect(channel.told.slice(before).map(({ addresses }) => addresses)).toEqual([['h:1']]);
    expect(events).toEqual([]);
  });

  it('is reported to the directory if it cannot be used, and the channel keeps its config', async () => {
    const channel = await startWith('{}');
    const before = channel.told.length;
    publishing.text$.next('{');
    expect(events).toMatchObject([{ type: 'service-config-ignored', service: 'api' }]);
    expect(events[0]).not.toHaveProperty('isFirst');
    expect(channel.told).toHaveLength(before);
  });

  it('does not delay the list if the first published config cannot be used', async () => {
    const channel = await startWith('{');
    expect(channel.last).toMatchObject({ addresses: ['h:1'], serviceConfig: SERVICE_CONFIG });
    publishing.text$.next('{1');
    expect(events).toMatchObject([{ type: 'service-config-ignored', isFirst: true }]);
  });

  it('is reported to the directory if it has names that the client does not know', async () => {
    await startWith('{}');
    publishing.text$.next(timeoutOf('login'));
    expect(events).toEqual([
      {
        type: 'service-config-names-unknown',
        service: 'api',
        names: 'method "user.User/login" (did you mean Login?)',
      },
    ]);
  });
});

/** Starts a plain channel, whose service decides everything, with a config that arrives as `texts` says. */
async function startPlain(texts: Observable<string | undefined>): Promise<Subject> {
  vi.spyOn(registry, 'watchServiceConfig').mockReturnValue(texts);
  const channel = await new Subject('scripted:///api', {}, () => pool).start();
  registry.reset('api', 'h:1');
  return channel;
}

describe('a service config that the channel waits for with the first list', () => {
  beforeEach(() => {
    registry = new ScriptedRegistry();
    pool = new DirectoryPool(registry, { clock });
  });

  it('delays the first list by 250 ms at most', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    try {
      const texts = new RxSubject<string>();
      const channel = await startPlain(texts);
      vi.advanceTimersByTime(249);
      expect(channel.told).toEqual([]);
      vi.advanceTimersByTime(1);
      expect(channel.told).toHaveLength(1);
      texts.next('{}');
      expect(channel.told).toHaveLength(2);
    } finally {
      vi.useRealTimers();
    }
  });

  it('does not delay the first list if the config comes at once, and nothing is reported after the 250 ms', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    try {
      const channel = await startPlain(of(undefined));
      expect(channel.told).toHaveLength(1);
      vi.advanceTimersByTime(10_000);
      expect(channel.told).toHaveLength(1);
      channel.resolver.destroy();
      expect(vi.getTimerCount()).toBe(0);
    } finally {
      vi.useRealTimers();
    }
  });
});

describe('the choices that a channel leaves to its service', () => {
  const retryPolicy = {
    maxAttempts: 3,
    initialBackoff: '0.1s',
    maxBackoff: '1s',
    backoffMultiplier: 2,
    retryableStatusCodes: ['UNAVAILABLE'],
  };
  const retryThrottling = { maxTokens: 7, tokenRatio: 0.5 };
  const text = JSON.stringify({
    methodConfig: [{ name: [{}], timeout: '1s', waitForReady: true, retryPolicy }],
    retryThrottling,
  });

  /** What a channel with these options reports while its service publishes `text`. */
  async function reported(options: ChannelOptions) {
    vi.spyOn(registry, 'watchServiceConfig').mockReturnValue(of(text));
    const reports: [methodConfig: object, serviceConfig: unknown][] = [];
    const resolver = new RegistryResolver(
      splitTarget('scripted:///api'),
      (_list, attributes, config) => {
        const { invoke } = attributes[CONFIG_SELECTOR] as ConfigSelector;
        const { methodConfig } = invoke('/a.A/B', new Metadata(), 1);
        reports.push([methodConfig, config?.ok === true ? config.value : undefined]);
        return true;
      },
      options,
      () => pool,
    );
    resolver.updateResolution();
    await Promise.resolve();
    registry.reset('api', 'h:1');
    resolver.destroy();
    expect(reports).toHaveLength(1);
    return reports[0];
  }

  it('are none by default for a channel with a discovery', async () => {
    const options = withChannelDiscovery({}, { pool, serviceConfig: SERVICE_CONFIG });
    expect(await reported(options)).toEqual([{ name: [{}] }, SERVICE_CONFIG]);
  });

  it('are all for a plain channel', async () => {
    const [methodConfig, serviceConfig] = (await reported({})) ?? [];
    expect(methodConfig).toMatchObject({ waitForReady: true, retryPolicy: { maxAttempts: 3 } });
    expect(methodConfig).toHaveProperty('timeout');
    expect(serviceConfig).toMatchObject({ retryThrottling });
  });
});

describe('destroy() of a resolver', () => {
  it('ends the watch and all reports', async () => {
    const channel = await subject().start();
    registry.reset('api', 'h:1');
    channel.resolver.destroy();
    expect(registry.watching('api')).toBe(0);
    registry.reset('api', 'h:2');
    clock.advance(1_000);
    expect(channel.told).toHaveLength(1);
  });

  it('ends a resolver that has not answered yet', async () => {
    pool.acquire('api');
    registry.reset('api', 'h:1');
    const channel = subject();
    channel.resolver.updateResolution();
    channel.resolver.destroy();
    await Promise.resolve();
    expect(channel.told).toEqual([]);
  });

  it('called twice leaves the watches of other resolvers running', async () => {
    const other = await subject().start();
    const channel = await subject().start();
    channel.resolver.destroy();
    channel.resolver.destroy();
    expect(registry.watching('api')).toBe(1);
    registry.reset('api', 'h:1');
    expect(other.last?.addresses).toEqual(['h:1']);
  });

  it('can be followed by another start, as after idleness', async () => {
    const channel = await subject().start();
    registry.reset('api', 'h:1');
    channel.resolver.destroy();
    await channel.start();
    registry.reset('api', 'h:2');
    expect(channel.last?.addresses).toEqual(['h:2']);
    expect(registry.watching('api')).toBe(1);
  });

  it('and a new start within one turn subscribe once, even if others use the list', async () => {
    pool.acquire('api');
    const channel = subject();
    channel.resolver.updateResolution();
    channel.resolver.destroy();
    await channel.start();
    registry.reset('api', 'h:1');
    expect(channel.told).toHaveLength(1);
  });
});

describe('several registries side by side', () => {
  it('resolve the same target, each for its own channels', async () => {
    const registries = [new MemoryRegistry(), new MemoryRegistry()];
    const channels = await Promise.all(
      registries.map((memory, index) => {
        memory.setEndpoints('api', [`h:${index + 1}`]);
        const own = new DirectoryPool(memory, { clock });
        const options = withChannelDiscovery({}, { pool: own, serviceConfig: SERVICE_CONFIG });
        return new Subject('memory:///api', options).start();
      }),
    );
    expect(channels.map(({ last }) => last?.addresses)).toEqual([['h:1'], ['h:2']]);
    clock.advance(50);
    registries[1]?.setEndpoints('api', ['h:3']);
    expect(channels.map(({ last }) => last?.addresses)).toEqual([['h:1'], ['h:3']]);
    expect(channels[0]?.told).toHaveLength(1);
  });

  it('have one watch for all channels of one service', async () => {
    const channels = await Promise.all([subject().start(), subject().start(), subject().start()]);
    registry.reset('api', 'h:1');
    expect(registry.started).toEqual(['api']);
    for (const { last } of channels) expect(last?.addresses).toEqual(['h:1']);
  });
});
