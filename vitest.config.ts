import { defineConfig } from 'vitest/config';

// The tests run as compiled: worker threads, package imports and decorator metadata are then the ones that ship.
export default defineConfig({
  test: {
    include: ['dist/**/*.spec.js'],
    exclude: ['node_modules/**'],
    globalSetup: ['dist/test/harness/global-setup.js'],
    setupFiles: ['dist/test/harness/property-seed.js'],
    maxWorkers: 2,
    testTimeout: 60_000,
    hookTimeout: 120_000,
  },
});
