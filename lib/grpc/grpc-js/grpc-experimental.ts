/**
 * The part of grpc-js that is outside its stable API: name resolvers and load balancers. The only file that touches
 * `experimental`, so that a new release of grpc-js is checked against one page.
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

/** What this library uses of `experimental`, all of it; a release without one of these does not fit. */
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
 * Checks that the grpc-js that is loaded fits, before anything is registered with it.
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

/** Makes a resolver class answer for a scheme, for every channel of the process. */
export const registerResolver: typeof experimental.registerResolver = (...args) =>
  experimental.registerResolver(...args);

export const statusOrFromValue: typeof experimental.statusOrFromValue = (value) =>
  experimental.statusOrFromValue(value);

export const statusOrFromError: typeof experimental.statusOrFromError = (error) =>
  experimental.statusOrFromError(error);

/**
 * Ends an HTTP/2 handshake that is under way, so that the attempt fails: grpc-js knows no connect timeout, and has no way
 * to be told (its subchannel keeps the connector, and that the session, to itself).
 *
 * @returns false where there is none: TCP or TLS is still being set up, or grpc-js looks different inside
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

/** Channel options that make a connection: without what is for resolver and balancer alone. */
export function subchannelOptions(options: ChannelOptions): ChannelOptions {
  return Object.fromEntries(
    Object.entries(options).filter(
      ([name]) =>
        name !== experimental.CHANNEL_ARGS_CONFIG_SELECTOR_KEY &&
        !name.startsWith(experimental.SUBCHANNEL_ARGS_EXCLUDE_KEY_PREFIX),
    ),
  );
}

/** The attribute of a list that tells gRPC about each call. */
export const CONFIG_SELECTOR: string = experimental.CHANNEL_ARGS_CONFIG_SELECTOR_KEY;

/** Channel options under this prefix reach resolver and balancer and are no part of a connection's identity. */
export function privateChannelOption(name: string): string {
  return `${experimental.SUBCHANNEL_ARGS_EXCLUDE_KEY_PREFIX}.${name}`;
}
