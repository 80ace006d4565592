/** Turns the schema into the service definitions that a grpc-js server takes, once per process. */
import type { ServiceDefinition } from '@grpc/grpc-js';
import { fromJSON } from '@grpc/proto-loader';
import {
  type MessageFields,
  type ServiceMethods,
  type ServiceName,
  messages,
  services,
} from './wire-schema.js';

type PackageJson = Parameters<typeof fromJSON>[0];

/** The property of a decoded request that has its size in bytes. */
const wireSize = Symbol('wireSize');
let definitions: Readonly<Record<ServiceName, ServiceDefinition>> | undefined;

/** The definitions of every service; built at the first call (some 15 ms), then cached. */
export function serviceDefinitions(): Readonly<Record<ServiceName, ServiceDefinition>> {
  definitions ??= buildDefinitions();
  return definitions;
}

/** The size of a decoded request on the wire, in bytes; 0 for a request that was not decoded. */
export function requestSize(request: object): number {
  return (request as { [wireSize]?: number })[wireSize] ?? 0;
}

function buildDefinitions(): Readonly<Record<ServiceName, ServiceDefinition>> {
  const nested = {
    ...mapValues(messages, messageJson),
    ...mapValues(services, serviceJson),
  };
  const json = { nested: { etcdserverpb: { nested } } } as PackageJson;
  const loaded = fromJSON(json, { longs: String, defaults: true, oneofs: true });
  return mapValues(services, (_methods, name) => {
    const definition = loaded[`etcdserverpb.${name}`] as ServiceDefinition;
    return mapValues(definition, (method) => ({
      ...method,
      requestDeserialize(bytes: Buffer): object {
        const request = method.requestDeserialize(bytes) as object;
        return Object.assign(request, { [wireSize]: bytes.length });
      },
    }));
  }) as unknown as Readonly<Record<ServiceName, ServiceDefinition>>;
}

function messageJson(fields: MessageFields): object {
  const oneofs: Record<string, { oneof: string[] }> = {};
  const json = mapValues(fields, (text, name) => {
    const [, group, repeated, type, id] = /^(?:(\w+): )?(repeated )?(\w+) (\d+)$/.exec(text) ?? [];
    if (group !== undefined) (oneofs[group] ??= { oneof: [] }).oneof.push(name);
    return { type, id: Number(id), ...(repeated === undefined ? {} : { rule: 'repeated' }) };
  });
  return { fields: json, ...(Object.keys(oneofs).length === 0 ? {} : { oneofs }) };
}

function serviceJson(methods: ServiceMethods): object {
  return {
    methods: mapValues(methods, ([request, reply]) => ({
      requestType: request.replace('stream ', ''),
      requestStream: request.startsWith('stream '),
      responseType: reply.replace('stream ', ''),
      responseStream: reply.startsWith('stream '),
    })),
  };
}

function mapValues<V, R>(
  record: Readonly<Record<string, V>>,
  change: (value: V, name: string) => R,
): Record<string, R> {
  return Object.fromEntries(
    Object.entries(record).map(([name, value]) => [name, change(value, name)]),
  );
}
