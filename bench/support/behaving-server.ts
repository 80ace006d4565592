/**
 * A server process for benches of balancing: the `User` service on bare grpc-js. Calls of a special form
 * change its behaviour: a request named `!delayMs 2000` makes answers take that long, `!code 14` makes calls
 * fail at once with that code; `0` restores the normal behaviour. The server listens on as many ports as its
 * argument says, and ends when its standard input closes.
 */
import { createServer } from 'node:net';
import { loadPackageDefinition, Server, ServerCredentials } from '@grpc/grpc-js';
import type { sendUnaryData, ServerUnaryCall, ServiceClientConstructor } from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import type { UserRequest, UserResponse } from './user-calls.js';

const [, , protoPath = '', id = '', ports = '1'] = process.argv;
const { user } = loadPackageDefinition(loadSync(protoPath)) as unknown as {
  user: { User: ServiceClientConstructor };
};
const behaviour: Record<string, number> = { delayMs: 0, code: 0 };

const server = new Server();
server.addService(user.User.service, {
  login: (
    { request }: ServerUnaryCall<UserRequest, UserResponse>,
    callback: sendUnaryData<UserResponse>,
  ): void => {
    if (request.name.startsWith('!')) {
      const [what = '', value = '0'] = request.name.slice(1).split(' ');
      behaviour[what] = Number(value);
      callback(null, { message: '', server: id });
      return;
    }
    const { delayMs = 0, code = 0 } = behaviour;
    const answer = (): void =>
      code === 0
        ? callback(null, { message: '', server: id })
        : callback({ code, details: 'as told' });
    if (delayMs > 0) setTimeout(answer, delayMs);
    else answer();
  },
});
// One gRPC server gets the connections of all ports through an injector: a gRPC server for each of thousands
// of ports would cost too much.
const injector = server.createConnectionInjector(ServerCredentials.createInsecure());
const addresses = await Promise.all(
  Array.from(
    { length: Number(ports) },
    () =>
      new Promise<string>((resolve) => {
        const listener = createServer((socket) => injector.injectConnection(socket));
        listener.listen(0, '127.0.0.1', () => {
          const address = listener.address();
          resolve(`127.0.0.1:${typeof address === 'object' ? address?.port : ''}`);
        });
      }),
  ),
);
process.stdout.write(`${JSON.stringify({ event: 'listening', addresses })}\n`);
process.stdin.on('end', () => process.exit(0)).resume();
process.once('SIGTERM', () => process.exit(0));
