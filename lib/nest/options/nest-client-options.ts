/** Turns a client definition into the options of Nest's own client. */
import type { ChannelOptions } from '@grpc/grpc-js';
import type { GrpcOptions } from '@nestjs/microservices';
import { withoutIpServername } from '../../grpc/grpc-js/ip-servername.js';
import type { ClientDefaults, ClientDefinition } from './discovery-options.js';
import { unknownChannelOptions } from './validate-channel.js';
import { SIZE_OPTIONS } from './validate-clients.js';

/**
 * The options with which Nest loads the proto and connects; the client's factory adds the channel options
 * later.
 */
export function nestClientOptions(url: string, client: ClientDefinition): GrpcOptions['options'] {
  const { packageDefinition, protoPath, loader, protoLoader, keepalive, credentials } = client;
  return {
    url,
    package: client.package,
    // Nest rejects options with both `packageDefinition` and `protoPath`.
    ...(packageDefinition === undefined ? present({ protoPath }) : { packageDefinition }),
    ...present({ loader, protoLoader, keepalive }),
    ...(credentials === undefined ? {} : { credentials: withoutIpServername(credentials) }),
  };
}

/**
 * The channel options of a client. The client's own definition takes precedence over the defaults. This also
 * holds if one of them sets a message size in `channelOptions`, and the other sets the same size by
 * `maxReceiveMessageLength` or `maxSendMessageLength`.
 */
export function givenChannelOptions(
  defaults: ClientDefaults,
  definition: ClientDefinition,
): ChannelOptions {
  const channelOptions = definition.channelOptions ?? defaults.channelOptions;
  return { ...sizes(defaults), ...channelOptions, ...sizes(definition) };
}

/** Describes each option of a definition, or of the defaults, that has no effect: one text per option. */
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
