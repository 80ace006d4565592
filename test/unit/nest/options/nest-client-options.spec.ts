import { ChannelCredentials } from '@grpc/grpc-js';
import { describe, expect, it } from 'vitest';
import {
  givenChannelOptions,
  idleOptions,
  nestClientOptions,
} from '../../../../lib/nest/options/nest-client-options.js';

const CLIENT = { name: 'api', package: 'user', protoPath: 'user.proto' };
const packageDefinition = { 'user.User': {} } as never;

describe("the options of Nest's client", () => {
  it('contain no field that the user left out', () => {
    expect(nestClientOptions('memory:///api', CLIENT)).toStrictEqual({
      url: 'memory:///api',
      package: 'user',
      protoPath: 'user.proto',
    });
  });

  it('contain the loading, the keepalive and the credentials of the user', () => {
    const fields = {
      loader: { keepCase: true },
      protoLoader: 'own-loader',
      keepalive: { keepaliveTimeMs: 1 },
    };
    const credentials = ChannelCredentials.createInsecure();
    const options = nestClientOptions('memory:///api', { ...CLIENT, ...fields, credentials });
    expect(options).toMatchObject({ ...fields, protoPath: 'user.proto' });
    expect(options?.credentials).toBeInstanceOf(ChannelCredentials);
  });

  it('contain a loaded proto in place of its file, because Nest rejects both', () => {
    const options = nestClientOptions('memory:///api', { ...CLIENT, packageDefinition });
    expect(options).toStrictEqual({
      url: 'memory:///api',
      package: 'user',
      packageDefinition,
    });
  });
});

const RECEIVE = 'grpc.max_receive_message_length';
const SEND = 'grpc.max_send_message_length';

describe('the channel options of a client', () => {
  it.each<[string, object, object, object]>([
    ['none', {}, {}, {}],
    ['those of the defaults', { channelOptions: { a: 1 } }, {}, { a: 1 }],
    [
      'its own in place of those of the defaults',
      { channelOptions: { a: 1 } },
      { channelOptions: { b: 2 } },
      { b: 2 },
    ],
    [
      'the message sizes of the defaults and its own',
      { maxReceiveMessageLength: 1 },
      { maxSendMessageLength: 2 },
      { [RECEIVE]: 1, [SEND]: 2 },
    ],
    [
      'its own size as a channel option, before a size of the defaults',
      { maxSendMessageLength: 1 },
      { channelOptions: { [SEND]: 2 } },
      { [SEND]: 2 },
    ],
    [
      'its own size, before a channel option of the defaults',
      { channelOptions: { [SEND]: 1 } },
      { maxSendMessageLength: 2 },
      { [SEND]: 2 },
    ],
  ])('are %s', (_, defaults, own, expected) => {
    expect(givenChannelOptions(defaults, { ...CLIENT, ...own })).toStrictEqual(expected);
  });
});

describe('the description of options without effect', () => {
  it.each<[string, object, readonly string[]]>([
    ['nothing', CLIENT, []],
    ['a keepalive that grpc-js has', { ...CLIENT, keepalive: { keepaliveTimeMs: 1 } }, []],
    [
      'what loads a proto beside a loaded one',
      { ...CLIENT, packageDefinition, loader: {}, protoLoader: 'own-loader' },
      [
        'protoPath is not read: packageDefinition takes its place',
        'loader is not read: packageDefinition takes its place',
        'protoLoader is not read: packageDefinition takes its place',
      ],
    ],
    ['a loaded proto alone', { name: 'api', package: 'user', packageDefinition }, []],
    [
      'a channel option, a keepalive and a size that grpc-js does not have',
      {
        channelOptions: { 'my.own': 1 },
        keepalive: { http2MaxPingStrikes: 1 },
        maxMetadataSize: 1,
      },
      [
        'channelOptions["my.own"] has no effect: @grpc/grpc-js has no such option',
        'keepalive.http2MaxPingStrikes has no effect: @grpc/grpc-js has no such option',
        'maxMetadataSize has no effect: @grpc/grpc-js has no such option',
      ],
    ],
  ])('names %s', (_, definition, expected) => {
    expect(idleOptions(definition)).toEqual(expected);
  });
});
