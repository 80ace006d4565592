/**
 * Go clients with the grpc-go versions that are in use: one small program (`test/interop/go-clients`), built
 * with each grpc-go that its `versions` pin. `.ci/build-go-clients` builds them, once per content and user.
 */
import { join } from 'node:path';
import { EventProcess } from '../support/event-process.js';
import { projectRoot } from '../support/project-root.js';
import { runCommand } from '../support/run-command.js';

const root = projectRoot(import.meta.url);

/** The grpc-go version of a client program, and its policy. */
export interface GoClientKind {
  readonly version: string;
  readonly policy: 'pick_first' | 'round_robin';
}

let built: Promise<ReadonlyMap<string, string>> | undefined;

/** The programs by the version of their grpc-go, built now if they are not there. */
export function buildGoClients(): Promise<ReadonlyMap<string, string>> {
  built ??= runCommand(join(root, '.ci/build-go-clients'), []).then(
    (output) =>
      new Map(
        output
          .trim()
          .split('\n')
          .map((line) => line.split(' ') as [string, string]),
      ),
  );
  return built;
}

/**
 * Starts a client that calls until it is stopped, with a `tick` event every 100 ms. Its error messages
 * contain its kind.
 */
export async function startGoClient(
  { version, policy }: GoClientKind,
  etcd: string,
  service: string,
): Promise<EventProcess> {
  const program = (await buildGoClients()).get(version);
  if (program === undefined) throw new Error(`no client with grpc-go ${version} is built`);
  const flags = { etcd, service, policy, 'interval-ms': 20 };
  const args = Object.entries(flags).map(([name, value]) => `--${name}=${value}`);
  return new EventProcess(program, args, { name: `grpc-go ${version}, ${policy}` });
}
