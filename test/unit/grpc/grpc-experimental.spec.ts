import { experimental } from '@grpc/grpc-js';
import { describe, expect, it } from 'vitest';
import { DiscoveryError } from '../../../lib/core/discovery-error.js';
import {
  assertSupportedGrpc,
  privateChannelOption,
  subchannelOptions,
} from '../../../lib/grpc/grpc-experimental.js';

describe('assertSupportedGrpc', () => {
  it('takes the grpc-js that is loaded', () => {
    expect(() => assertSupportedGrpc()).not.toThrow();
  });

  it.each([
    'registerResolver',
    'registerLoadBalancerType',
    'statusOrFromValue',
    'statusOrFromError',
    'parseLoadBalancingConfig',
    'QueuePicker',
    'UnavailablePicker',
    'PickResultType',
    'SUBCHANNEL_ARGS_EXCLUDE_KEY_PREFIX',
  ])('refuses one without %s, and names what is missing and what is allowed', (name) => {
    const check = (): void => assertSupportedGrpc({ ...experimental, [name]: undefined });
    expect(check).toThrow(DiscoveryError);
    expect(check).toThrow(
      `[UNSUPPORTED_VERSION] the @grpc/grpc-js that is loaded has no experimental ${name}; allowed: ~1.14.0`,
    );
  });

  it('names all that is missing at once', () => {
    expect(() => assertSupportedGrpc({})).toThrow(/registerResolver, statusOrFromValue, /);
  });
});

describe('private channel options', () => {
  it('are no part of what makes a connection', () => {
    const name = privateChannelOption('pool');
    expect(subchannelOptions({ [name]: {}, 'grpc.keepalive_time_ms': 1 })).toEqual({
      'grpc.keepalive_time_ms': 1,
    });
  });

  it('stand under the prefix that grpc-js itself leaves out of the identity of connections', () => {
    const prefix = experimental.SUBCHANNEL_ARGS_EXCLUDE_KEY_PREFIX;
    expect(privateChannelOption('pool').startsWith(prefix)).toBe(true);
    expect(privateChannelOption('a')).not.toBe(privateChannelOption('b'));
  });
});
