import type {
  CallInvocationTransformer,
  CallOptions,
  CallProperties,
  ChannelOptions,
  Interceptor,
  InterceptorProvider,
} from '@grpc/grpc-js';
import { describe, expect, it, vi } from 'vitest';
import {
  type CallPromises,
  withCallPromises,
} from '../../../../lib/grpc/interceptors/call-interceptors.js';

/** Makes an interceptor that differs from all others. */
function interceptor(): Interceptor {
  return vi.fn<Interceptor>();
}

const first = interceptor();
const second = interceptor();
const mine = interceptor();
const library = interceptor();
const PROMISES: CallPromises = { timeoutMs: undefined, interceptors: [library] };

/** The options of a unary call after the client's transformer has run. */
function transformed(
  given: ChannelOptions,
  callOptions: CallOptions,
  promises: CallPromises = PROMISES,
): CallOptions {
  const options = withCallPromises(given, promises);
  const transform = options['callInvocationTransformer'] as CallInvocationTransformer;
  const methodDefinition = { path: '/a.A/B', requestStream: false, responseStream: false };
  const properties = { callOptions, methodDefinition } as CallProperties<unknown, unknown>;
  return transform(properties).callOptions;
}

describe('the options of a call', () => {
  it("have the library's interceptors nearest to the wire, and those of the client before them", () => {
    const { interceptors } = transformed({ interceptors: [mine] }, {});
    expect(interceptors).toEqual([mine, library]);
  });

  it('have the interceptors of the call before those of the client and the library', () => {
    const given = Object.freeze({ interceptors: Object.freeze([first, second]) }) as CallOptions;
    const { interceptors } = transformed({ interceptors: [mine] }, given);
    expect(interceptors).toEqual([first, second, mine, library]);
  });

  it('have what the interceptor providers of the call return for its method, before all other interceptors', () => {
    const asked: string[] = [];
    const provide: InterceptorProvider = ({ path }) => {
      asked.push(path);
      return first;
    };
    const options = transformed(
      { interceptor_providers: [() => mine] },
      {
        interceptor_providers: [provide, () => undefined as unknown as Interceptor],
      },
    );
    expect(options).toEqual({ interceptors: [first, mine, library] });
    expect(asked).toEqual(['/a.A/B']);
  });

  it('keep what else the caller and the channel have set', () => {
    const options = withCallPromises({ 'grpc.x': 1, interceptors: [mine] }, PROMISES);
    expect(options).toEqual({
      'grpc.x': 1,
      callInvocationTransformer: expect.any(Function) as unknown,
    });
    expect(transformed({}, { host: 'h' })).toEqual({ host: 'h', interceptors: [library] });
  });

  it('have interceptors and interceptor providers of the client', () => {
    const { interceptors } = transformed(
      { interceptors: [first], interceptor_providers: [() => second] },
      {},
    );
    expect(interceptors).toEqual([first, second, library]);
  });

  it('have the interceptors of the client besides those of the call also if the library has none', () => {
    const promises = { timeoutMs: undefined, interceptors: [] };
    const { interceptors } = transformed(
      { interceptors: [mine] },
      { interceptors: [first] },
      promises,
    );
    expect(interceptors).toEqual([first, mine]);
  });

  it('are not changed if the call has interceptors and also interceptor providers: grpc-js then refuses the call', () => {
    const both = { interceptors: [first], interceptor_providers: [() => second] };
    expect(transformed({}, both)).toBe(both);
  });

  it('have the default deadline before interceptors of the call see them', () => {
    const promises = { timeoutMs: 1_000, interceptors: [] };
    expect(transformed({}, { interceptors: [first] }, promises)).toEqual({
      interceptors: [first],
      deadline: expect.any(Number) as number,
    });
    expect(transformed({}, { deadline: 5 }, promises).deadline).toBe(5);
  });

  it("are changed by the user's own transformer first", () => {
    const callInvocationTransformer: CallInvocationTransformer = (properties) => ({
      ...properties,
      callOptions: { ...properties.callOptions, interceptors: [second] },
    });
    const { interceptors } = transformed({ callInvocationTransformer }, { interceptors: [first] });
    expect(interceptors).toEqual([second, library]);
  });
});

it('the options of a channel are not changed if its client has no timeout and no interceptors', () => {
  const given: ChannelOptions = { 'grpc.primary_user_agent': 'a' };
  expect(withCallPromises(given, { timeoutMs: undefined, interceptors: [] })).toBe(given);
});
