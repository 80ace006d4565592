/**
 * A server process for benches: the `User` service on bare grpc-js. It costs so little that the client is the
 * limit of the measured rate. It prints its address as an event and ends when its standard input closes.
 */
import { loadPackageDefinition, Server, ServerCredentials } from '@grpc/grpc-js';
import type { sendUnaryData, ServerUnaryCall, ServiceClientConstructor } from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import type { UserRequest, UserResponse } from './user-calls.js';

const [, , protoPath = '', id = ''] = process.argv;
const { user } = loadPackageDefinition(loadSync(protoPath)) as unknown as {
  user: { User: ServiceClientConstructor };
};

const server = new Server();
server.addService(user.User.service, {
  login: (
    call: ServerUnaryCall<UserRequest, UserResponse>,
    callback: sendUnaryData<UserResponse>,
  ): void => callback(null, { message: `welcome ${call.request.name}`, server: id }),
});
server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, port) => {
  if (error !== null) throw error;
  const event = { event: 'listening', address: `127.0.0.1:${port}` };
  process.stdout.write(`${JSON.stringify(event)}\n`);
});
process.stdin.on('end', () => server.forceShutdown()).resume();
process.once('SIGTERM', () => process.exit(0));
