/** A plain gRPC server of the service that has each shape of call. A test that starts it must stop it. */
import {
  loadPackageDefinition,
  Server,
  ServerCredentials,
  type ServerDuplexStream,
  type ServerReadableStream,
  type ServerUnaryCall,
  type ServerWritableStream,
  type ServiceClientConstructor,
  type sendUnaryData,
} from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';

/** The proto file of the service with each shape of call. */
export const shapesProtoPath = new URL('./proto/shapes.proto', import.meta.url).pathname;

export interface ShapesMessage {
  readonly text?: string;
  readonly bytes?: Uint8Array;
}

export interface ShapesServer {
  readonly address: string;
  stop(): void;
}

/**
 * Starts a server on a free loopback port.
 *
 * @param answer makes the answer of every call from its first message; `undefined`: the call is never
 *   answered
 */
export async function startShapesServer(
  answer: (message: ShapesMessage) => ShapesMessage | undefined,
): Promise<ShapesServer> {
  const loaded = loadPackageDefinition(loadSync(shapesProtoPath));
  const { service } = (loaded['shapes'] as { Shapes: ServiceClientConstructor }).Shapes;
  const server = new Server({ 'grpc.max_receive_message_length': -1 });
  server.addService(service, {
    unary(call: ServerUnaryCall<ShapesMessage, ShapesMessage>, done: sendUnaryData<ShapesMessage>) {
      const message = answer(call.request);
      if (message !== undefined) done(null, message);
    },
    upload(
      call: ServerReadableStream<ShapesMessage, ShapesMessage>,
      done: sendUnaryData<ShapesMessage>,
    ) {
      call.once('data', (first: ShapesMessage) => {
        const message = answer(first);
        if (message !== undefined) done(null, message);
      });
    },
    download(call: ServerWritableStream<ShapesMessage, ShapesMessage>) {
      const message = answer(call.request);
      if (message === undefined) return;
      call.write(message);
      call.end();
    },
    chat(call: ServerDuplexStream<ShapesMessage, ShapesMessage>) {
      call.once('data', (first: ShapesMessage) => {
        const message = answer(first);
        if (message === undefined) return;
        call.write(message);
        call.end();
      });
    },
  });
  const port = await new Promise<number>((resolve, reject) =>
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    ),
  );
  return { address: `127.0.0.1:${port}`, stop: () => server.forceShutdown() };
}
