import type { ChannelOptions, ServiceConfig } from '@grpc/grpc-js';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { BALANCER_NAME } from '../../../../lib/grpc/balancer/balancer-config.js';
import { withChannelDiscovery } from '../../../../lib/grpc/resolver/channel-discovery.js';
import type { ResolverListener } from '../../../../lib/grpc/grpc-js/grpc-experimental.js';
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

/** What a resolver told its channel. */
interface Told {
  /** `host:port` of each endpoint, or the path of a unix socket; `undefined` for a failure. */
  readonly addresses: readonly string[] | undefined;
  /** The failure's code, where it is one. */
  readonly code: number | undefined;
  readonly note: string;
  readonly serviceConfig: ServiceConfig | undefined;
}

/** The texts of all failures, and the note beside each; of a list the note twice. */
let details: string[];
let notes: string[];
afterEach(() => {
  expect(details).toEqual(notes);
});

/** A resolver with a channel that listens and keeps what it was told. */
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

  /** Starts it, and waits for the turn in which it may answer. */
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
  it('says nothing before the registry has', async () => {
    const { told } = await subject().start();
    expect(told).toEqual([]);
    expect(registry.started).toEqual(['api']);
  });

  it('passes the first list on, then each change', async () => {
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

  it('hands the beginning of a list to our balancer, and not to one of gRPC', async () => {
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

  it('never answers within the call that starts it, though the list is known', async () => {
    pool.acquire('api');
    registry.reset('api', 'h:1');
    const channel = subject();
    channel.resolver.updateResolution();
    expect(channel.told).toEqual([]);
    await Promise.resolve();
    expect(channel.told).toHaveLength(1);
  });

  it('attaches the whole endpoint for the balancer, the same object while it stays', async () => {
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

  it('hands out the service config of its channel with every answer', async () => {
    const channel = await subject().start();
    registry.fail('api');
    registry.reset('api', 'h:1');
    expect(channel.told.map(({ serviceConfig }) => serviceConfig)).toEqual([
      SERVICE_CONFIG,
      SERVICE_CONFIG,
    ]);
  });

  it('takes a repeated request for a hint that the list may be stale', async () => {
    const channel = await subject().start();
    await channel.start();
    await channel.start();
    expect(registry.started).toEqual(['api']);
    expect(registry.refreshed).toEqual(['api', 'api']);
  });
});

describe('without endpoints', () => {
  it('an error before any list fails calls with service, place and reason', async () => {
    const channel = await subject().start();
    registry.fail('api', 'no connection');
    expect(channel.last).toMatchObject({
      addresses: undefined,
      code: UNAVAILABLE,
      note: 'service "api" cannot be resolved from scripted registry, service "api": [REGISTRY_UNAVAILABLE] no connection',
    });
  });

  it('an empty list is one, with a note of service, place and the state of the registry', async () => {
    const channel = await subject().start();
    registry.reset('api');
    expect(channel.last).toMatchObject({
      addresses: [],
      note: '[NO_ENDPOINTS] service "api" has no endpoint in scripted registry, service "api"; the registry answers, no server is registered',
    });
    registry.fail('api', 'no connection');
    expect(channel.last?.note).toBe(
      '[NO_ENDPOINTS] service "api" has no endpoint in scripted registry, service "api", as last heard: [REGISTRY_UNAVAILABLE] no connection',
    );
  });

  it('a list names the records that are left out, for calls that reach none of its endpoints', async () => {
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

  it('an empty list says how many records are left out, and why', async () => {
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
      `${place}, as last heard: [REGISTRY_UNAVAILABLE] no connection; ${leftOut}`,
    );
    clock.advance(50);
    registry.reset('api');
    expect(channel.last?.note).toBe(`${place}; the registry answers, no server is registered`);
  });

  it('control characters of a target are escaped in what calls are told', async () => {
    const channel = await subject('scripted:///a%0A%1B[2J').start();
    registry.reset('a\n\u001b[2J');
    expect(channel.last?.note).toContain(String.raw`service "a\n\u001b[2J" has no endpoint`);
    registry.fail('a\n\u001b[2J');
    expect(channel.last?.note).not.toMatch(/\p{Cc}/u);
  });

  it("with a balancer of gRPC's own an empty list fails calls, which it would leave waiting", async () => {
    const channel = new Subject('scripted:///api', { 'grpc.service_config': '{}' }, () => pool);
    await channel.start();
    registry.reset('api');
    expect(channel.last).toMatchObject({ addresses: undefined, code: UNAVAILABLE });
    expect(channel.last?.note).toContain('[NO_ENDPOINTS] service "api"');
  });

  it('the last good list is passed on while the registry is away', async () => {
    const channel = await subject().start();
    registry.reset('api', 'h:1');
    registry.fail('api');
    expect(channel.last?.addresses).toEqual(['h:1']);
    registry.reset('api', 'h:1');
    expect(channel.last?.addresses).toEqual(['h:1']);
  });

  it('endpoints that come later are passed on', async () => {
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
  ])('%s is the service %s', async (target, service) => {
    await subject(target).start();
    expect(registry.started).toEqual([service]);
  });

  it.each([
    ['scripted:///', 'names no service'],
    ['scripted:///%zz', 'malformed percent escape'],
  ])('%s fails calls with what is wrong', async (target, reason) => {
    const channel = await subject(target).start();
    expect(channel.last?.code).toBe(UNAVAILABLE);
    expect(channel.last?.note).toContain('[INVALID_TARGET]');
    expect(channel.last?.note).toContain(reason);
    expect(registry.started).toEqual([]);
  });

  it('whose scheme no registry answers to fails calls with what to do', async () => {
    const channel = await new Subject('user:///api', {}).start();
    expect(channel.last?.note).toBe(
      '[INVALID_TARGET] no registry answers to scheme "user"; call registerDiscoveryResolver(registry) first',
    );
  });

  it('is looked up by its scheme in lower case', async () => {
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

describe('the service config of a plain channel', () => {
  it('is ours by default', async () => {
    const channel = await new Subject('scripted:///api', {}, () => pool).start();
    registry.reset('api', 'h:1');
    const [entry] = channel.last?.serviceConfig?.loadBalancingConfig ?? [];
    expect(Object.keys(entry ?? {})).toEqual([BALANCER_NAME]);
  });

  it('is left to the channel that brings one', async () => {
    const options = { 'grpc.service_config': '{"loadBalancingConfig":[]}' };
    const channel = await new Subject('scripted:///api', options, () => pool).start();
    registry.reset('api', 'h:1');
    expect(channel.last).toMatchObject({ addresses: ['h:1'], serviceConfig: undefined });
  });

  it('is that of its own discovery, whatever else it brings', async () => {
    const channel = await subject(undefined, { 'grpc.service_config': '{}' }).start();
    registry.reset('api', 'h:1');
    expect(channel.last?.serviceConfig).toBe(SERVICE_CONFIG);
  });
});

describe('the end of a resolver', () => {
  it('ends its watch, and nothing is told afterwards', async () => {
    const channel = await subject().start();
    registry.reset('api', 'h:1');
    channel.resolver.destroy();
    expect(registry.watching('api')).toBe(0);
    registry.reset('api', 'h:2');
    clock.advance(1_000);
    expect(channel.told).toHaveLength(1);
  });

  it('before it could answer is an end too', async () => {
    pool.acquire('api');
    registry.reset('api', 'h:1');
    const channel = subject();
    channel.resolver.updateResolution();
    channel.resolver.destroy();
    await Promise.resolve();
    expect(channel.told).toEqual([]);
  });

  it('as often as it is asked for leaves the watches of others running', async () => {
    const other = await subject().start();
    const channel = await subject().start();
    channel.resolver.destroy();
    channel.resolver.destroy();
    expect(registry.watching('api')).toBe(1);
    registry.reset('api', 'h:1');
    expect(other.last?.addresses).toEqual(['h:1']);
  });

  it('is not for ever: it can be started again, as after idleness', async () => {
    const channel = await subject().start();
    registry.reset('api', 'h:1');
    channel.resolver.destroy();
    await channel.start();
    registry.reset('api', 'h:2');
    expect(channel.last?.addresses).toEqual(['h:2']);
    expect(registry.watching('api')).toBe(1);
  });

  it('and a new start within one turn subscribe once, also where others use the list', async () => {
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
  it('serve the same target each to its own channels', async () => {
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

  it('share one watch among the channels of one service', async () => {
    const channels = await Promise.all([subject().start(), subject().start(), subject().start()]);
    registry.reset('api', 'h:1');
    expect(registry.started).toEqual(['api']);
    for (const { last } of channels) expect(last?.addresses).toEqual(['h:1']);
  });
});
