/**
 * Puts random secrets at random places of options of random shapes: no error, no log line and no inspected
 * object may contain a secret.
 */
import { inspect } from 'node:util';
import { Logger } from '@nestjs/common';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { DiscoveryModule, type DiscoveryModuleOptions, EtcdRegistry } from 'nestjs-grpc-discovery';
import { readFileSync } from 'node:fs';
import { seededRandom } from '../../support/seeded-random.js';

const tlsFile = (name: string): string =>
  readFileSync(new URL(`../../fixtures/tls/${name}.pem`, import.meta.url), 'utf8');
const CA = tlsFile('ca');
const LETTERS = 'ABCDEFGHJKMNPQRSTVWXYZ23456789';
const SPECIAL = [
  ',',
  ' ',
  '"',
  "'",
  '@',
  '#',
  '?',
  '/',
  ':',
  '%',
  '\\',
  '\n',
  '\t',
  '=',
  '&',
  '[',
  '',
];

afterEach(() => {
  vi.unstubAllEnvs();
  vi.restoreAllMocks();
});

/**
 * Draws secrets and options. A secret has pieces of six capital letters and digits, which no message
 * contains.
 */
class Draw {
  constructor(private readonly random: () => number) {}

  /** What must not be shown: the pieces of all secrets, without the special characters between them. */
  readonly pieces: string[] = [];

  one<T>(choices: readonly T[]): T {
    return choices[Math.floor(this.random() * choices.length)] as T;
  }

  secret(): string {
    const count = 1 + Math.floor(this.random() * 3);
    const pieces = Array.from({ length: count }, () =>
      Array.from({ length: 6 }, () => this.one([...LETTERS])).join(''),
    );
    this.pieces.push(...pieces);
    return pieces.join(this.one(SPECIAL));
  }

  url(): string {
    const secret = this.secret();
    const scheme = this.one(['http://', 'https://', '', 'ftp://']);
    const host = this.one(['h', 'h:2379', '[::1]:2379', 'etcd-0.etcd:2379/', '10.0.0.1:2379']);
    return this.one([
      `${scheme}root:${secret}@${host}`,
      `${scheme}${secret}@${host}`,
      `${scheme}${encodeURIComponent(`root:${secret}`)}@${host}`,
      `${scheme}${host}?password=${secret}`,
      `${scheme}${host}/?user=root&password=${secret}`,
      `${scheme}${host}#${secret}`,
      `${scheme}${host}/${secret}`,
      `${scheme}root:${secret}`,
      `root:${secret}`,
      secret,
    ]);
  }

  /** A value of any shape with a secret in it. */
  value(): unknown {
    const secret = this.secret();
    return this.one<unknown>([
      secret,
      [secret],
      { [this.field()]: secret },
      [{ [this.field()]: secret }],
      { [this.field()]: { [this.field()]: [secret] } },
      Buffer.from(secret),
      `-----BEGIN PRIVATE KEY-----\n${secret}\n-----END PRIVATE KEY-----`,
      `-----BEGIN CERTIFICATE-----\n${secret}\n-----END CERTIFICATE-----`,
      `/etc/${secret}.key`,
      new Map([['password', secret]]),
      new Error(secret),
    ]);
  }

  field(): string {
    return this.one([
      'pwd',
      'pw',
      'password',
      'pass',
      'user',
      'otp',
      'url',
      'x',
      'auth',
      'passwort',
    ]);
  }

  auth(): unknown {
    const password = this.secret();
    return this.one<unknown>([
      { username: 'root', password },
      { username: 'root', password, [this.field()]: this.secret() },
      { username: 'root', [this.field()]: password },
      { username: 'root', password: [password] },
      { username: ['root', password], password },
      `root:${password}`,
      this.value(),
    ]);
  }

  tls(): unknown {
    return this.one<unknown>([
      { ca: CA, cert: CA, key: this.value() },
      { ca: CA, key: this.value() },
      { ca: this.value() },
      { ca: CA, [this.field()]: this.value() },
      { ca: CA, passphrase: this.secret() },
      this.value(),
    ]);
  }

  /**
   * Channel options under whose names a user may put the user and password of a proxy, with values of any
   * type.
   */
  channelOptions(): unknown {
    const name = this.one([
      'grpc.http_connect_creds',
      'grpc.http_connect_cred',
      'grpc.http_connect_credz',
      'http_connect_creds',
      'grpc.http_connect_targt',
      'grpc.default_autority',
      'grpc.keepalive_time',
      'interceptors',
      this.field(),
    ]);
    const value = this.one<() => unknown>([() => this.secret(), () => this.value()])();
    return this.one<unknown>([{ [name]: value }, { [name]: value, interceptors: 1 }, value]);
  }

  etcd(): unknown {
    const field = this.one([
      'hosts',
      'hosts',
      'hosts',
      'auth',
      'auth',
      'tls',
      'tls',
      'client',
      'timings',
      'requestTimeoutMs',
      'other',
      'itself',
    ]);
    const hosts = [this.one(['http://127.0.0.1:1', 'https://127.0.0.1:1'])];
    switch (field) {
      case 'hosts':
        return {
          hosts: this.one<unknown>([
            [this.url()],
            ['http://h:2379', this.url()],
            [this.url(), 'http://h:2379', this.url()],
            this.url(),
            `${this.url()},${this.url()}`,
            [{ url: this.url() }],
            this.value(),
          ]),
        };
      case 'auth':
        return { hosts, auth: this.auth() };
      case 'tls':
        return { hosts: ['https://127.0.0.1:1'], tls: this.tls() };
      case 'client':
        return this.one<unknown>([{ client: this.value() }, { client: {}, auth: this.auth() }]);
      case 'timings':
        return {
          hosts,
          timings: this.one<unknown>([this.value(), { backoffCapMs: this.value() }]),
        };
      case 'requestTimeoutMs':
        return { hosts, requestTimeoutMs: this.value() };
      case 'other':
        return { hosts, [this.field()]: this.value() };
      default:
        return this.value();
    }
  }

  /** Options of `forRoot`, with values of any type. */
  root(): unknown {
    return this.one<() => unknown>([
      () => ({ etcd: this.etcd() }),
      () => ({ etcd: this.etcd() }),
      () => ({ etcd: this.etcd() }),
      () => ({ [this.field()]: this.value() }),
      () => ({ registry: this.value() }),
      () => ({ clients: [{ name: 'a', package: 'a', protoPath: 'a', credentials: this.value() }] }),
      () => ({
        clients: [{ name: 'a', package: 'a', protoPath: 'a', [this.field()]: this.value() }],
      }),
      () => ({ service: { name: 'api', [this.field()]: this.value() } }),
      () => this.value(),
    ])();
  }
}

const lines: string[] = [];

beforeEach(() => {
  lines.length = 0;
  for (const level of ['log', 'warn', 'error', 'debug', 'verbose'] as const) {
    vi.spyOn(Logger.prototype, level).mockImplementation((...args: unknown[]) => {
      lines.push(inspect(args, { depth: Infinity }));
    });
  }
});

/** Every text that shows what `act` returned, threw or logged. */
function seen(act: () => unknown): string {
  try {
    return [inspect(act(), { depth: Infinity }), ...lines].join('\n');
  } catch (error) {
    const { message, stack } = error as Error;
    const texts = [message, stack, inspect(error, { depth: Infinity }), JSON.stringify(error)];
    return [...texts, ...lines].join('\n');
  }
}

const SEEDS = Array.from({ length: 4 }, (_, index) => index + 1);
const ROUNDS = 40;

describe.each(SEEDS)('the library shows no secret (seed %i)', (seed) => {
  const draws = (use: (draw: Draw) => string): void => {
    const random = seededRandom(seed);
    for (let round = 0; round < ROUNDS; round++) {
      const draw = new Draw(random);
      const text = use(draw);
      for (const piece of draw.pieces) {
        expect(text.includes(piece), `round ${round}: ${piece} in ${text.slice(0, 500)}`).toBe(
          false,
        );
      }
    }
  };

  it('when forRoot rejects or accepts options', () => {
    vi.stubEnv('ETCD_HOSTS', undefined);
    draws((draw) => {
      const options = draw.root() as DiscoveryModuleOptions;
      return seen(() => DiscoveryModule.forRoot(options));
    });
  });

  it('when it rejects channel options', () => {
    draws((draw) => {
      const clientDefaults = { channelOptions: draw.channelOptions() };
      const options = { etcd: { hosts: ['h'] }, clientDefaults } as DiscoveryModuleOptions;
      // Channel options that were accepted stay the application's own object, so only errors are looked at.
      return seen(() => void DiscoveryModule.forRoot(options));
    });
  });

  it('when it reads ETCD_HOSTS', () => {
    draws((draw) => {
      const first = draw.url();
      vi.stubEnv(
        'ETCD_HOSTS',
        draw.one([first, `http://h:2379,${first}`, `${first},${draw.url()}`]),
      );
      return seen(() => DiscoveryModule.forRoot());
    });
  });

  it('when it constructs an EtcdRegistry, nor when that object is printed', () => {
    draws((draw) => {
      const options = draw.etcd() as ConstructorParameters<typeof EtcdRegistry>[0];
      return seen(() => {
        const registry = new EtcdRegistry(options);
        void registry.close();
        return [registry, JSON.stringify(registry)];
      });
    });
  });
});
