import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    root: new URL('../..', import.meta.url).pathname,
    include: ['test/package/**/*.spec.ts'],
    exclude: ['test/package/apps/**'],
    globalSetup: ['test/support/global-setup.ts'],
    // Each test installs an application with npm.
    testTimeout: 300_000,
    hookTimeout: 300_000,
  },
});
