/** Where a gRPC server really listens: the port behind `:0`, which Nest's transport throws away. */
import { getChannelzHandlers, type Server } from '@grpc/grpc-js';

/** The part of a server that channelz, gRPC's own introspection, needs. */
export type ChannelzServer = Pick<Server, 'getChannelzRef'>;

/** `host:port` of every socket a server listens on; empty where channelz was switched off for it. */
export function boundAddresses(server: ChannelzServer): string[] {
  let names: string[] = [];
  const call = { request: { server_id: server.getChannelzRef().id } };
  type GetServer = (call: unknown, callback: (error: unknown, reply: unknown) => void) => void;
  // The handler answers at once; its declared type asks for a whole server call.
  (getChannelzHandlers()['GetServer'] as unknown as GetServer)(call, (_error, reply) => {
    names = socketNames(reply);
  });
  return names;
}

function socketNames(reply: unknown): string[] {
  const { server } = (reply ?? {}) as {
    server?: { listen_socket?: readonly { name: string }[] };
  };
  return (server?.listen_socket ?? []).map(({ name }) => name);
}
