/** One call of `grpc.health.v1.Health/Watch` on a channel of grpc-js. */
import {
  type ChannelInterface,
  type ClientReadableStream,
  credentials,
  makeClientConstructor,
  type MethodDefinition,
  type StatusObject,
  status,
} from '@grpc/grpc-js';
import type { HealthListener } from './transport.js';

// Each message has one field: `string service = 1` in the request, `ServingStatus status = 1` in the answer.
const watchMethod: MethodDefinition<string, number> = {
  path: '/grpc.health.v1.Health/Watch',
  requestStream: false,
  responseStream: true,
  requestSerialize: (service) => {
    const name = Buffer.from(service);
    return Buffer.concat([Buffer.from([0x0a]), encodeVarint(name.length), name]);
  },
  requestDeserialize: (bytes) => bytes.subarray(2).toString(),
  responseSerialize: (serving) => Buffer.from([0x08, serving]),
  responseDeserialize: (bytes) => (bytes[0] === 0x08 ? (bytes[1] ?? 0) : 0),
};
const HealthClient = makeClientConstructor({ Watch: watchMethod }, 'Health');

/** Starts the call and returns a function that ends it; after that the listener is not called any more. */
export function startHealthCall(
  channelOverride: ChannelInterface,
  service: string,
  listener: HealthListener,
): () => void {
  const client = new HealthClient('health', credentials.createInsecure(), { channelOverride });
  const start = client['Watch'] as unknown as (service: string) => ClientReadableStream<number>;
  const call = start.call(client, service);
  let isEnded = false;
  call.on('data', (serving: number) => {
    if (!isEnded) listener.onAnswer(serving);
  });
  // Every end of the call has a `status`, also after an error. Without this listener Node would throw the
  // error.
  call.on('error', () => {});
  call.on('status', ({ code, details }: StatusObject) => {
    if (!isEnded) listener.onEnd(status[code], details);
  });
  return () => {
    isEnded = true;
    call.cancel();
  };
}

function encodeVarint(value: number): Buffer {
  const bytes: number[] = [];
  for (let rest = value; ; rest >>>= 7) {
    bytes.push(rest < 0x80 ? rest : (rest & 0x7f) | 0x80);
    if (rest < 0x80) return Buffer.from(bytes);
  }
}
