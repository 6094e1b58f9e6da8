import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';

/**
 * The lanes of the tests. Every file is in exactly one: what no list names is in `sdk`.
 *
 * - `unit`: pure code, and one room at a time: `npm run test:unit`.
 * - `simulation`: the whole ring on virtual time.
 * - `processes`: servers in processes of their own, the package, the documents.
 * - `sdk`: a whole server in the process of the test, driven by the official SDK.
 */
const UNIT = [
  'test/{api,dynamo,paper,peer,router,trace,wire}/**/*.test.ts',
  'test/host/!(cut-off-node|local-ring|lost-disks).test.ts',
  'test/cli/!(library|test-double).test.ts',
  'test/env/!(lmdb-pages).test.ts',
  'test/transfer/!(round-trip|resume).test.ts',
  'test/web/!(fair-share).test.ts',
  'test/tidy.test.ts',
];
const SIMULATION = ['test/simulation/**/*.test.ts'];
const PROCESSES = [
  'test/{bench,documents,package,processes}/**/*.test.ts',
  'test/env/lmdb-pages.test.ts',
  'test/{examples,from-npm,recipes}.test.ts',
];

const lane = (name: string, include: string[], exclude: string[] = []) => ({
  extends: true as const,
  test: { name, include, exclude },
});

export default defineConfig({
  test: {
    projects: [
      lane('unit', UNIT),
      lane('simulation', SIMULATION),
      lane('processes', PROCESSES),
      lane('sdk', ['test/**/*.test.ts'], [...UNIT, ...SIMULATION, ...PROCESSES]),
    ],
    globalSetup: ['test/build.ts'],
    // One fewer than there are cores is the default: on two, with tests that mostly wait, half of the time was lost.
    maxWorkers: Math.max(2, availableParallelism() - 1),
    testTimeout: 30_000,
    hookTimeout: 30_000,
  },
});
