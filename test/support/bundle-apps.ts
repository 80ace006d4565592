/**
 * Compiled apps as bundles. Nest alone is hundreds of modules; loading them one by one takes more than half
 * of the time in which a process starts. Packages that are not listed in `INSIDE` stay outside of the
 * bundles, above all gRPC and etcd's client.
 */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { rolldown } from 'rolldown';

/** The packages inside a bundle: Nest, what Nest needs, and this library. */
const INSIDE =
  /^(@nestjs\/(common|core|microservices|platform-express)|rxjs|nestjs-grpc-discovery|iterare|uid|tslib|fast-safe-stringify|path-to-regexp|express)(\/|$)/;

/** The variables that CommonJS modules expect. */
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
 * @param into the folder of the bundles, each with the name of its app
 */
export async function bundleApps(from: string, into: string): Promise<void> {
  const names = readdirSync(from).filter((name) => name.endsWith('.js'));
  const bundle = await rolldown({
    input: Object.fromEntries(
      names.map((name) => [name.slice(0, -'.js'.length), join(from, name)]),
    ),
    platform: 'node',
    external: (id) => !/^[./\\]|^[a-z]:/i.test(id) && !INSIDE.test(id) && !id.startsWith('#'),
    // The messages are about optional packages of Nest that are not installed.
    onLog: () => {},
  });
  try {
    await bundle.write({ dir: into, format: 'esm', banner: BANNER });
  } finally {
    await bundle.close();
  }
}
