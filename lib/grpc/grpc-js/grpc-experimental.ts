/**
 * The part of grpc-js that is outside its stable API: name resolvers and load balancers. No other file uses
 * `experimental`, so that a new release of grpc-js is checked against this file.
 */
import { type ChannelOptions, experimental } from '@grpc/grpc-js';
import { DiscoveryError } from '../../core/discovery-error.js';
import { missingFromAttempts } from './attempting-call.js';

export type GrpcUri = experimental.GrpcUri;
export type GrpcEndpoint = experimental.Endpoint;
export type GrpcSubchannelAddress = experimental.SubchannelAddress;
export type Resolver = experimental.Resolver;
export type ResolverListener = experimental.ResolverListener;
export type TypedLoadBalancingConfig = experimental.TypedLoadBalancingConfig;
export type LoadBalancer = experimental.LoadBalancer;
export type ChannelControlHelper = experimental.ChannelControlHelper;
export type GrpcPicker = experimental.Picker;
export type GrpcPickArgs = experimental.PickArgs;
export type GrpcPickResult = experimental.PickResult;
export type Subchannel = experimental.SubchannelInterface;
export type ConfigSelector = experimental.ConfigSelector;
export type StatusOr<T> = experimental.StatusOr<T>;

export const {
  QueuePicker,
  UnavailablePicker,
  PickResultType,
  registerLoadBalancerType,
  isLoadBalancerNameRegistered,
} = experimental;

/** All that this library uses of `experimental`: it refuses a grpc-js without one of these names. */
export const REQUIRED_EXPERIMENTAL = [
  'registerResolver',
  'statusOrFromValue',
  'statusOrFromError',
  'registerLoadBalancerType',
  'isLoadBalancerNameRegistered',
  'QueuePicker',
  'UnavailablePicker',
  'PickResultType',
  'SUBCHANNEL_ARGS_EXCLUDE_KEY_PREFIX',
  'CHANNEL_ARGS_CONFIG_SELECTOR_KEY',
] as const;

/**
 * Checks that the loaded grpc-js has what this library needs, before anything is registered with it.
 *
 * @throws DiscoveryError `UNSUPPORTED_VERSION`
 */
export function assertSupportedGrpc(
  available: Readonly<Record<string, unknown>> = experimental,
): void {
  const missing = REQUIRED_EXPERIMENTAL.filter((name) => available[name] === undefined);
  const inside = missingFromAttempts();
  if (missing.length + inside.length === 0) return;
  const what = missing.length > 0 ? `experimental ${missing.join(', ')}` : inside.join(', ');
  throw new DiscoveryError(
    'UNSUPPORTED_VERSION',
    `the @grpc/grpc-js that is loaded has no ${what}; allowed: ~1.14.0, one copy per process`,
  );
}

/** Registers a resolver class for a scheme, for every channel of the process. */
export const registerResolver: typeof experimental.registerResolver = (...args) =>
  experimental.registerResolver(...args);

export const statusOrFromValue: typeof experimental.statusOrFromValue = (value) =>
  experimental.statusOrFromValue(value);

export const statusOrFromError: typeof experimental.statusOrFromError = (error) =>
  experimental.statusOrFromError(error);

/**
 * Ends an HTTP/2 handshake that is under way, so that the attempt fails. grpc-js has no connect timeout and
 * no way to end an attempt: its subchannel keeps the connector and the session private.
 *
 * @returns false if no handshake is under way (TCP or TLS is still being set up), or if grpc-js has other
 *   fields
 */
export function breakOffHandshake(subchannel: Subchannel): boolean {
  const real = subchannel.getRealSubchannel() as unknown as {
    readonly connector?: { readonly session?: { destroy?(): void } | null };
  };
  const session = real.connector?.session;
  if (typeof session?.destroy !== 'function') return false;
  session.destroy();
  return true;
}

/** The channel options that a connection depends on: options for resolver and balancer are left out. */
export function subchannelOptions(options: ChannelOptions): ChannelOptions {
  return Object.fromEntries(
    Object.entries(options).filter(
      ([name]) =>
        name !== experimental.CHANNEL_ARGS_CONFIG_SELECTOR_KEY &&
        !name.startsWith(experimental.SUBCHANNEL_ARGS_EXCLUDE_KEY_PREFIX),
    ),
  );
}

/** The attribute of a list that holds the config selector, which gRPC asks about each call. */
export const CONFIG_SELECTOR: string = experimental.CHANNEL_ARGS_CONFIG_SELECTOR_KEY;

/**
 * The full name of a channel option that resolver and balancer read and that is no part of a connection's
 * identity.
 */
export function privateChannelOption(name: string): string {
  return `${experimental.SUBCHANNEL_ARGS_EXCLUDE_KEY_PREFIX}.${name}`;
}
