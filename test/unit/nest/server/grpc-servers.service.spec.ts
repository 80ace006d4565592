import { Server } from '@grpc/grpc-js';
import type { ModulesContainer } from '@nestjs/core';
import { Transport } from '@nestjs/microservices';
import { of } from 'rxjs';
import { expect, it } from 'vitest';
import { GrpcServers } from '../../../../lib/nest/server/grpc-servers.service.js';

const listener = {
  onCreating: () => Promise.resolve(),
  onCreated: () => {},
  onBound: () => Promise.resolve(),
  onClosing: () => Promise.resolve(),
};

/** The servers of an application with one server, and that server. No port is bound. */
function oneServer() {
  const target = {
    transportId: Transport.GRPC,
    url: 'a:1',
    createClient: () => Promise.resolve(new Server()),
    listen: () => {},
    close: () => Promise.resolve(),
  };
  const modules = { getRpcTargetRegistry: () => of(target) } as unknown as ModulesContainer;
  const servers = new GrpcServers(modules);
  servers.follow(listener);
  return { servers, target };
}

const FOR_GOOD =
  '[CLOSED] the gRPC server at "a:1" cannot listen again: it was closed, and its registrations with it, for good;';

it('the error of a server that was closed alone says that its application still runs', async () => {
  const { target } = oneServer();
  await target.createClient();
  await target.close();
  await expect(target.createClient()).rejects.toThrow(
    `${FOR_GOOD} its application has not shut down: clients and registry are open still.`,
  );
});

it('the error of a server says what the shutdown of its application ended', async () => {
  const { servers, target } = oneServer();
  await target.createClient();
  await target.close();
  servers.unfollow();
  await expect(target.createClient()).rejects.toThrow(
    `${FOR_GOOD} the shutdown hooks of its application have run, and ended its clients and its registry, too.`,
  );
});

it('the error of a server that was closed before it was bound says so', async () => {
  const { target } = oneServer();
  await target.close();
  await expect(target.createClient()).rejects.toThrow('was closed before it was bound');
});
