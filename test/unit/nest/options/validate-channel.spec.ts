import { recognizedOptions } from '@grpc/grpc-js/build/src/channel-options.js';
import { describe, expect, it } from 'vitest';
import {
  CHANNEL_OPTIONS,
  checkChannelOptions,
  checkKeepalive,
  checkLoader,
  unknownChannelOptions,
} from '../../../../lib/nest/options/validate-channel.js';

const pass = (): void => {};

it('the check knows every channel option of the installed grpc-js except the service config', () => {
  const names = Object.keys(recognizedOptions).filter((name) => name !== 'grpc.service_config');
  expect(CHANNEL_OPTIONS).toEqual(expect.arrayContaining(names));
});

describe('channel options', () => {
  it.each([
    {
      'grpc.max_receive_message_length': -1,
      'grpc.primary_user_agent': 'a',
      'grpc.enable_retries': 0,
    },
    { interceptors: [pass], callInvocationTransformer: pass },
    { 'grpc.keepalive_time_ms': undefined },
    { interceptors: [pass], interceptor_providers: undefined },
    { interceptors: undefined, interceptor_providers: [pass] },
    { 'my.own': true, 'grpc.http2.max_frame_size': 1, 'grpc.min_reconnect_backoff_ms': 1 },
    // Options that gRPC has in other languages: they are not misspelt.
    { 'grpc.enable_census': 1, 'grpc.default_compression_level': 1 },
    { 'grpc.http2.write_buffer_size': 1, 'grpc.surface_user_agent': 0 },
    { 'grpc.max_message_length': 1, 'grpc.max_metadata_size': 1 },
  ])('are accepted: %o', (options) => {
    expect(() => checkChannelOptions('o', options)).not.toThrow();
  });

  it.each([
    [
      { 'grpc.keepalive_time': 1 },
      '["grpc.keepalive_time"]',
      'did you mean grpc.keepalive_time_ms?',
    ],
    [
      { max_receive_message_length: 1 },
      'e_length"]',
      'did you mean grpc.max_receive_message_length?',
    ],
    [{ 'grpc.keepalive_tmie_ms': 1 }, 'tmie_ms"] is 1;', 'did you mean grpc.keepalive_time_ms?'],
    [{ 'grpc.max_session_memory': 1 }, 'is 1;', 'did you mean grpc-node.max_session_memory?'],
    [
      { 'grpc.http_connect_targt': 'bob:Sec,ret' },
      '"] is a string;',
      'did you mean grpc.http_connect_target?',
    ],
    [
      { 'grpc.http_connect_cred': 'bob:Sec,ret' },
      '"] is a value that is not shown;',
      'did you mean grpc.http_connect_creds?',
    ],
    [{ 'grpc.http_connect_creds': 7 }, '"] is a value that is not shown;', 'a text'],
    [{ 'grpc.keepalive_time_ms': '1000' }, '_ms"] is "1000"', 'a number'],
    [{ 'grpc.keepalive_time_ms': Number.NaN }, '_ms"] is NaN', 'a number'],
    [{ 'grpc.enable_http_proxy': false }, 'is false', 'a switch is 0 or 1'],
    [{ 'grpc.default_authority': 1 }, 'is 1', 'a text'],
    [{ interceptors: pass }, 'interceptors', 'an array of functions'],
    [{ interceptors: [{}] }, 'interceptors', 'functions'],
    [
      { interceptors: [pass], interceptor_providers: [pass] },
      'interceptor_providers',
      'one of it and',
    ],
    [{ channelOverride: {} }, 'channelOverride', 'none'],
  ])('are rejected: %o', (options, shown, allowed) => {
    expect(() => checkChannelOptions('o', options)).toThrow(shown);
    expect(() => checkChannelOptions('o', options)).toThrow(allowed);
  });

  it('are listed by unknownChannelOptions if grpc-js does not have them', () => {
    expect(
      unknownChannelOptions({ 'my.own': 1, 'grpc.max_metadata_size': 1, interceptors: [] }),
    ).toEqual(['my.own', 'grpc.max_metadata_size']);
  });
});

describe('the option keepalive', () => {
  it.each([
    { keepaliveTimeMs: 2 ** 31 - 1, keepaliveTimeoutMs: 5_000, keepalivePermitWithoutCalls: 1 },
    { keepaliveTimeMs: -1, http2MaxPingStrikes: 2 },
  ])('accepts %o', (value) => {
    expect(() => checkKeepalive('k', value)).not.toThrow();
  });

  it.each([
    [{ keepaliveTime: 1_000 }, 'did you mean keepaliveTimeMs?'],
    [{ 'grpc.keepalive_time_ms': 1 }, 'did you mean keepaliveTimeMs?'],
    [{ keepaliveTimeMs: '20s' }, 'a whole number'],
    [{ keepaliveTimeMs: -2 }, 'a whole number from -1 to 2147483647'],
    [{ keepaliveTimeMs: 2 ** 31 }, 'a whole number from -1 to 2147483647'],
    [{ keepalivePermitWithoutCalls: -1 }, 'from 0 to 1'],
    [{ keepalivePermitWithoutCalls: 2 }, 'from 0 to 1'],
    // A Node timer of `Infinity` ms fires after 1 ms.
    [{ keepaliveTimeMs: Infinity }, 'to 2147483647'],
    [{ keepalivePermitWithoutCalls: true }, 'from 0 to 1'],
  ])('rejects %o', (value, allowed) => {
    expect(() => checkKeepalive('k', value)).toThrow(allowed);
  });
});

describe('the option loader', () => {
  it('accepts every option that the proto loader reads', () => {
    const types = { longs: String, enums: String, bytes: Array };
    const flags = { keepCase: true, alternateCommentMode: true, preferTrailingComment: false };
    const filled = { defaults: true, arrays: true, objects: true, oneofs: true, json: true };
    expect(() =>
      checkLoader('l', { ...types, ...flags, ...filled, includeDirs: ['proto'] }),
    ).not.toThrow();
  });

  it.each([
    [{ keepcase: true }, 'did you mean keepCase?'],
    [{ keepCase: 'yes' }, 'true or false'],
    [{ longs: 'String' }, 'a constructor: String, Number or Array, no text'],
    [{ includeDirs: 'proto' }, 'an array of folders'],
    [{ includeDirs: [''] }, 'a non-empty string'],
  ])('rejects %o', (value, allowed) => {
    expect(() => checkLoader('l', value)).toThrow(allowed);
  });
});
