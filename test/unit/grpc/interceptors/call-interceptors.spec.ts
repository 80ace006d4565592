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

/** An interceptor; each is another one. */
function interceptor(): Interceptor {
  return vi.fn<Interceptor>();
}

const first = interceptor();
const second = interceptor();
const mine = interceptor();
const library = interceptor();
const PROMISES: CallPromises = { timeoutMs: undefined, interceptors: [library] };

/** The options of a unary call as grpc-js has them after the client's transformer. */
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

describe('a call', () => {
  it("has the library's interceptors nearest to the wire, and those of the client before them", () => {
    const { interceptors } = transformed({ interceptors: [mine] }, {});
    expect(interceptors).toEqual([mine, library]);
  });

  it('keeps them beside interceptors of its own, which come first', () => {
    const given = Object.freeze({ interceptors: Object.freeze([first, second]) }) as CallOptions;
    const { interceptors } = transformed({ interceptors: [mine] }, given);
    expect(interceptors).toEqual([first, second, mine, library]);
  });

  it('keeps them beside interceptor providers of its own, which are asked with the method', () => {
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

  it('with both forms is left to grpc-js, which refuses it', () => {
    const both = { interceptors: [first], interceptor_providers: [() => second] };
    expect(transformed({}, both)).toBe(both);
  });

  it('has a deadline before its own interceptors see it', () => {
    const promises = { timeoutMs: 1_000, interceptors: [] };
    expect(transformed({}, { interceptors: [first] }, promises)).toEqual({
      interceptors: [first],
      deadline: expect.any(Number) as number,
    });
    expect(transformed({}, { deadline: 5 }, promises).deadline).toBe(5);
  });

  it("is changed by the user's own transformer first", () => {
    const callInvocationTransformer: CallInvocationTransformer = (properties) => ({
      ...properties,
      callOptions: { ...properties.callOptions, interceptors: [second] },
    });
    const { interceptors } = transformed({ callInvocationTransformer }, { interceptors: [first] });
    expect(interceptors).toEqual([second, library]);
  });

  it('is not touched where the client promises nothing', () => {
    const given: ChannelOptions = { 'grpc.primary_user_agent': 'a' };
    expect(withCallPromises(given, { timeoutMs: undefined, interceptors: [] })).toBe(given);
  });
});
