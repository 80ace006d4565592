/** A client definition as Nest's own client takes it. */
import type { ChannelOptions } from '@grpc/grpc-js';
import type { GrpcOptions } from '@nestjs/microservices';
import { withoutIpServername } from '../../grpc/grpc-js/ip-servername.js';
import type { ClientDefaults, ClientDefinition } from './discovery-options.js';
import { unknownChannelOptions } from './validate-channel.js';
import { SIZE_OPTIONS } from './validate-clients.js';

/** What Nest needs to load the proto and to connect; the channel's options come later. */
export function nestClientOptions(url: string, client: ClientDefinition): GrpcOptions['options'] {
  const { packageDefinition, protoPath, loader, protoLoader, keepalive, credentials } = client;
  return {
    url,
    package: client.package,
    // Nest accepts only one of the two.
    ...(packageDefinition === undefined ? present({ protoPath }) : { packageDefinition }),
    ...present({ loader, protoLoader, keepalive }),
    ...(credentials === undefined ? {} : { credentials: withoutIpServername(credentials) }),
  };
}

/**
 * The channel options of a client. A definition wins over the defaults; this holds too where one of them
 * gives a size as a channel option, and the other as an option of its own.
 */
export function givenChannelOptions(
  defaults: ClientDefaults,
  definition: ClientDefinition,
): ChannelOptions {
  const channelOptions = definition.channelOptions ?? defaults.channelOptions;
  return { ...sizes(defaults), ...channelOptions, ...sizes(definition) };
}

/** Options of a definition, or of the defaults, that have no effect, one text each. */
export function idleOptions(definition: ClientDefaults & Partial<ClientDefinition>): string[] {
  const { packageDefinition, channelOptions = {}, keepalive = {} } = definition;
  const unread = (['protoPath', 'loader', 'protoLoader'] as const).filter(
    (field) => packageDefinition !== undefined && definition[field] !== undefined,
  );
  const unknown = [
    ...unknownChannelOptions(channelOptions).map((name) => `channelOptions["${name}"]`),
    ...Object.keys(keepalive)
      .filter((name) => name.startsWith('http2'))
      .map((name) => `keepalive.${name}`),
    ...(definition.maxMetadataSize === undefined ? [] : ['maxMetadataSize']),
  ];
  return [
    ...unread.map((field) => `${field} is not read: packageDefinition takes its place`),
    ...unknown.map((name) => `${name} has no effect: @grpc/grpc-js has no such option`),
  ];
}

function sizes(given: ClientDefaults): ChannelOptions {
  const fields = Object.keys(SIZE_OPTIONS) as (keyof typeof SIZE_OPTIONS)[];
  return present(Object.fromEntries(fields.map((field) => [SIZE_OPTIONS[field], given[field]])));
}

function present<T extends object>(fields: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]?: Exclude<T[K], undefined>;
  };
}
