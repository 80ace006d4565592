import { Logger } from '@nestjs/common';
import type { ModulesContainer } from '@nestjs/core';
import { BehaviorSubject, NEVER } from 'rxjs';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import {
  type DiscoveryModuleOptions,
  type Registration,
  type RegistrationRequest,
  type RegistrationStatus,
  Registry,
  ServiceRegistrar,
} from 'nestjs-grpc-discovery';
import { CallTracker } from '../../../lib/grpc/call-tracker.js';
import { ApplicationReadiness } from '../../../lib/nest/application-readiness.service.js';
import { type BoundServer, GrpcServers } from '../../../lib/nest/grpc-servers.service.js';
import { validateOptions } from '../../../lib/nest/validate-options.js';

/** A registry that takes registrations only while a test says so. */
class MoodyRegistry extends Registry {
  readonly scheme = 'moody';
  readonly registrations: BehaviorSubject<RegistrationStatus>[] = [];
  isAway = false;

  override watch(): typeof NEVER {
    return NEVER;
  }

  override register({ service, endpoint: { address } }: RegistrationRequest): Registration {
    const state = this.isAway ? 'registering' : 'registered';
    const subject = new BehaviorSubject<RegistrationStatus>({
      state,
      service,
      key: `${service}/${address}`,
      address,
    });
    this.registrations.push(subject);
    return {
      get status() {
        return subject.value;
      },
      status$: subject,
      update: () => {},
      close: async () => {
        subject.next({ ...subject.value, state: 'deregistered' });
        subject.complete();
      },
    };
  }

  comeBack(): void {
    this.isAway = false;
    for (const subject of this.registrations) {
      if (subject.value.state === 'deregistered') continue;
      subject.next({ ...subject.value, state: 'registered' });
    }
  }
}

function createRegistrar(given: DiscoveryModuleOptions) {
  const registry = new MoodyRegistry();
  const options = validateOptions({ registry, ...given }, {});
  const modules = { getRpcTargetRegistry: () => NEVER } as unknown as ModulesContainer;
  const servers = new GrpcServers(modules);
  const readiness = new ApplicationReadiness(options);
  const registrar = new ServiceRegistrar(options, registry, servers, readiness);
  return { registry, registrar };
}

function boundServer(port: number): BoundServer {
  const url = `127.0.0.1:${port}`;
  const server = { tryShutdown: (done: () => void) => done(), forceShutdown: () => {} };
  return {
    url,
    addresses: [url],
    server: server as unknown as BoundServer['server'],
    calls: new CallTracker(),
  };
}

/** Longer than any start waits for the registry. */
const START_MS = 3_000;

let warnings: string[];
beforeEach(() => {
  vi.useFakeTimers();
  warnings = [];
  vi.spyOn(Logger.prototype, 'warn').mockImplementation((text) => warnings.push(String(text)));
  vi.spyOn(Logger.prototype, 'log').mockImplementation(() => {});
});
afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

describe('failFast', () => {
  const service = { name: 'api', drainDelayMs: 0 };

  it('fails a start that the registry does not answer, and withdraws', async () => {
    const { registry, registrar } = createRegistrar({ service, failFast: true });
    registry.isAway = true;
    await registrar.onBootstrapped();
    const failure = registrar.onBound(boundServer(1)).catch((error: unknown) => error);
    await vi.advanceTimersByTimeAsync(START_MS);
    expect(String(await failure)).toContain('failFast is set');
    expect(registrar.status).toEqual({ state: 'drained', registrations: [] });
  });

  it('leaves a server alone that has started: it is registered again once the registry is back', async () => {
    let isReady = true;
    const readiness = { check: () => isReady, intervalMs: 10 };
    const { registry, registrar } = createRegistrar({ service, failFast: true, readiness });
    await registrar.onBootstrapped();
    await registrar.onBound(boundServer(1));
    expect(registrar.status.state).toBe('registered');

    registry.isAway = true;
    isReady = false;
    await vi.advanceTimersByTimeAsync(10);
    expect(registrar.status.state).toBe('idle');
    isReady = true;
    await vi.advanceTimersByTimeAsync(START_MS);
    expect(registrar.status.state).toBe('registering');
    expect(warnings.at(-1)).toContain('registration goes on until it succeeds');

    registry.comeBack();
    expect(registrar.status.state).toBe('registered');
  });
});
