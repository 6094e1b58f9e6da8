import { defineConfig } from 'vitest/config';

/**
 * Clusters of real processes that are killed, stopped and cut off: `npm run test:hosts`. Not part of `npm test`, since
 * they take minutes.
 */
export default defineConfig({
  test: {
    name: 'hosts',
    include: ['test/hosts/**/*.test.ts'],
    globalSetup: ['test/build.ts'],
    // Far above what a test takes on a machine that has other things to do: it is for what hangs.
    testTimeout: 240_000,
    hookTimeout: 240_000,
    expect: { poll: { timeout: 60_000 } },
    // Each test has three processes or more, which use what a small machine has, and waits for much of its time.
    maxWorkers: 2,
  },
});
