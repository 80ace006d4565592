/**
 * Compiled apps as bundles: Nest alone is hundreds of modules, and to load them one by one is more than half
 * of what the start of a process costs. What a user's process loads otherwise than from its own source stays
 * outside, above all gRPC and etcd's client.
 */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { rolldown } from 'rolldown';

/** Nest, what it needs, and this library itself. */
const INSIDE =
  /^(@nestjs\/(common|core|microservices|platform-express)|rxjs|nestjs-grpc-discovery|iterare|uid|tslib|fast-safe-stringify|path-to-regexp|express)(\/|$)/;

/** What CommonJS modules expect to be there. */
const BANNER = `
import { dirname as folderOf } from 'node:path';
import { fileURLToPath as pathOf } from 'node:url';
const __filename = pathOf(import.meta.url);
const __dirname = folderOf(__filename);
`;

/**
 * Bundles every app of a folder.
 *
 * @param from the folder with the compiled apps
 * @param into where the bundles go, each under the name of its app
 */
export async function bundleApps(from: string, into: string): Promise<void> {
  const names = readdirSync(from).filter((name) => name.endsWith('.js'));
  const bundle = await rolldown({
    input: Object.fromEntries(
      names.map((name) => [name.slice(0, -'.js'.length), join(from, name)]),
    ),
    platform: 'node',
    external: (id) => !/^[./\\]|^[a-z]:/i.test(id) && !INSIDE.test(id) && !id.startsWith('#'),
    // Of optional packages of Nest that are not there.
    onLog: () => {},
  });
  try {
    await bundle.write({ dir: into, format: 'esm', banner: BANNER });
  } finally {
    await bundle.close();
  }
}
