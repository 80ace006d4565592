import { describe, expect, it } from 'vitest';
import { DiscoveryError } from '../../../../lib/core/discovery-error.js';
import { checkPlacement, isOfferedAt } from '../../../../lib/nest/server/service-placement.js';
import { validateServices } from '../../../../lib/nest/options/validate-service.js';

const USERS = { url: '0.0.0.0:50051', packages: ['user', 'user.admin'] };
const BILLING = { url: '0.0.0.0:50052', packages: ['billing'] };

function offer(server?: string) {
  const [service] = validateServices({ name: 'api', ...(server === undefined ? {} : { server }) });
  if (service === undefined) throw new Error('one service was given');
  return service;
}

describe('a service', () => {
  it('is offered at every server unless its option `server` names one', () => {
    expect([USERS, BILLING].map((server) => isOfferedAt(offer(), server))).toEqual([true, true]);
  });

  it.each([
    ["the server's url, as it was written", '0.0.0.0:50051'],
    ['a package of the server', 'user'],
    ['another package of the server', 'user.admin'],
  ])('is offered only at the server that its option `server` names by %s', (_how, server) => {
    const service = offer(server);
    expect([USERS, BILLING].map((one) => isOfferedAt(service, one))).toEqual([true, false]);
  });

  it.each(['50051', 'use', 'user.', '0.0.0.0'])(
    "is not offered at a server if its option `server` is only a part of the server's url or package: %s",
    (server) => {
      expect(isOfferedAt(offer(server), USERS)).toBe(false);
    },
  );
});

const check =
  (services: readonly string[], servers: readonly (typeof USERS)[], warnings: string[] = []) =>
  (): void =>
    checkPlacement(services.map(offer), servers, (text) => warnings.push(text));

describe('checkPlacement', () => {
  it('passes if each named server exists', () => {
    expect(check(['billing', 'user'], [USERS, BILLING])).not.toThrow();
  });

  it('throws an error that names the missing server and the servers that exist', () => {
    const failing = check(['user', 'orders'], [USERS, BILLING]);
    expect(failing).toThrow(DiscoveryError);
    expect(failing).toThrow(
      '[INVALID_OPTION] option service.server is "orders"; allowed: the url or a package of a gRPC server of this application, which has 0.0.0.0:50051 (user, user.admin), 0.0.0.0:50052 (billing)',
    );
  });

  it('warns if the application has services but no server', () => {
    const warnings: string[] = [];
    expect(check([], [], warnings)).not.toThrow();
    expect(warnings).toEqual([]);
    expect(check(['user'], [], warnings)).not.toThrow();
    expect(warnings).toEqual([
      'Service "api" is not registered: this application has no gRPC server. Clients cannot find it. Add a microservice with Transport.GRPC, or remove the option "service".',
    ]);
    expect(check(['user'], [USERS], warnings)).not.toThrow();
    expect(warnings).toHaveLength(1);
  });
});
