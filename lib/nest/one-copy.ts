/**
 * Checks that grpc-js and Nest are loaded only once in a process. A linked library (`npm link`, `file:`) and
 * some workspaces bring second copies. A copy of grpc-js does not accept objects of another copy, and each
 * copy has its own tables of resolvers and balancers. The copy that etcd3 loads is used by etcd3 alone and is
 * not checked.
 */
import { createRequire } from 'node:module';
import { DiscoveryError } from '../core/discovery-error.js';
import { packageLocation } from '../core/package-location.js';

const GRPC = '@grpc/grpc-js';
const GRPC_ENTRY = /[\\/]@grpc[\\/]grpc-js[\\/]build[\\/]src[\\/]index\.js$/;
const REMEDY =
  'allowed: one copy per process, at the place of the application. Install this library as a package (npm pack) instead of a link, or take the copy beside it away';

/**
 * Checks that Nest's gRPC servers and clients use the same grpc-js that this library extends.
 *
 * @throws DiscoveryError `UNSUPPORTED_VERSION`
 */
export function assertOneGrpc(): void {
  const ours = placeOf(GRPC);
  const nests = placeOf(GRPC, placeOf('@nestjs/microservices'));
  if (ours === undefined || nests === undefined || ours === nests) return;
  throw twoCopies(GRPC, `@nestjs/microservices loads ${nests}`, ours);
}

/**
 * Checks that an object was not made by another copy of grpc-js.
 *
 * @param what the name of the object in the error
 * @throws DiscoveryError `UNSUPPORTED_VERSION`
 */
export function assertOurGrpc(what: string, value: unknown): void {
  const ours = placeOf(GRPC);
  for (const [place, module] of Object.entries(requireFrom().cache)) {
    if (place === ours || module === undefined || !GRPC_ENTRY.test(place)) continue;
    const { ChannelCredentials } = module.exports as { ChannelCredentials?: unknown };
    if (typeof ChannelCredentials !== 'function' || !(value instanceof ChannelCredentials))
      continue;
    throw twoCopies(GRPC, `${what} was made by ${place}`, ours ?? 'another one');
  }
}

/** The error for an application that was made by another copy of Nest than the one this library imports. */
export function twoCopiesOfNest(): DiscoveryError {
  const ours = placeOf('@nestjs/core') ?? 'another one';
  const theirs = placeOf('@nestjs/core', process.argv[1]);
  const place = theirs === undefined || theirs === ours ? 'another copy' : theirs;
  return twoCopies('@nestjs/core', `the application is made by ${place}`, ours);
}

function twoCopies(name: string, theirs: string, ours: string): DiscoveryError {
  return new DiscoveryError(
    'UNSUPPORTED_VERSION',
    `${name} is there twice: ${theirs}, and this library loads ${ours}; ${REMEDY}`,
  );
}

/** The file that a package is loaded from; `undefined` if it is unknown, for example in a bundle. */
function placeOf(name: string, from?: string): string | undefined {
  try {
    return requireFrom(from).resolve(name);
  } catch {
    return undefined;
  }
}

function requireFrom(from: string = packageLocation(process.cwd() + '/')): NodeJS.Require {
  return createRequire(from);
}
