import { defineConfig } from 'vitest/config';

const here = (path: string): string => new URL(path, import.meta.url).pathname;

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
    include: ['test/**/*.spec.ts', 'sample/**/*.spec.ts'],
    exclude: ['test/package/**'],
    globalSetup: ['test/support/global-setup.ts'],
    testTimeout: 90_000,
    hookTimeout: 120_000,
    // Finds a state that never comes; the default of a second is short for a busy machine.
    expect: { poll: { timeout: 60_000 } },
    // More than there are cores on a small machine: most suites wait for processes of their own.
    maxWorkers: 3,
  },
});
