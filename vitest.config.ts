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

const lane = (
  name: string,
  include: string[],
  limits: { readonly patienceMs: number; readonly exclude?: string[] },
) => ({
  extends: true as const,
  test: {
    name,
    include,
    exclude: limits.exclude ?? [],
    testTimeout: limits.patienceMs,
    hookTimeout: limits.patienceMs,
  },
});

export default defineConfig({
  test: {
    projects: [
      // Far above what a test of the lane takes on a machine that has other things to do: it is for what hangs.
      lane('unit', UNIT, { patienceMs: 60_000 }),
      lane('simulation', SIMULATION, { patienceMs: 120_000 }),
      lane('processes', PROCESSES, { patienceMs: 120_000 }),
      lane('sdk', ['test/**/*.test.ts'], { patienceMs: 60_000, exclude: [...UNIT, ...SIMULATION, ...PROCESSES] }),
    ],
    globalSetup: ['test/build.ts'],
    // One fewer than there are cores is the default: on two, with tests that mostly wait, half of the time was lost.
    maxWorkers: Math.max(2, availableParallelism() - 1),
  },
});
