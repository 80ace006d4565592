import { defineConfig } from 'vitest/config';

const here = (path: string): string => new URL(path, import.meta.url).pathname;

/**
 * Specs that need a process of their own: what they replace or install in it, other files would meet. All other
 * specs of one project and process share the modules that they import: importing the library, Nest and gRPC
 * anew for each file costs more than most files take.
 *
 * - `advertised-address` replaces `node:os` and `node:dgram`.
 * - `ended-calls` measures the heap.
 * - `grpc-private-attempts` installs its rules into grpc-js, which a process does once.
 * - `install-balancer` puts another balancer under the library's name into grpc-js.
 * - `one-copy` replaces `node:module`.
 */
const ISOLATED =
  '{advertised-address,ended-calls,grpc-private-attempts,install-balancer,one-copy}.spec.ts';

export default defineConfig({
  // Explicit, because vite honours tsconfig's decorator flags only for files its "include" covers.
  oxc: { decorator: { legacy: true, emitDecoratorMetadata: true } },
  resolve: {
    alias: [
      { find: /^nestjs-grpc-discovery$/, replacement: here('./lib/index.ts') },
      { find: /^nestjs-grpc-discovery\/testing$/, replacement: here('./lib/testing/index.ts') },
    ],
  },
  test: {
    globalSetup: ['test/support/global-setup.ts'],
    setupFiles: ['test/support/shared-globals.ts'],
    testTimeout: 90_000,
    hookTimeout: 120_000,
    // Finds a state that never comes; the default of a second is short for a busy machine.
    expect: { poll: { timeout: 60_000 } },
    // More than there are cores on a small machine: most suites wait for processes of their own.
    maxWorkers: 3,
    projects: [
      {
        extends: true,
        test: {
          name: 'unit',
          include: ['test/unit/**/*.spec.ts'],
          exclude: [`test/**/${ISOLATED}`],
          isolate: false,
        },
      },
      {
        extends: true,
        test: {
          name: 'system',
          include: ['test/!(unit|package)/**/*.spec.ts', 'sample/**/*.spec.ts'],
          exclude: [`test/**/${ISOLATED}`],
          isolate: false,
        },
      },
      {
        extends: true,
        test: { name: 'isolated', include: [`test/**/${ISOLATED}`] },
      },
    ],
  },
});
