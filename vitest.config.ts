import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';

/**
 * The lanes of the tests. Every file is in exactly one: what no list names is in `sdk`. Those of `test/hosts` are none of
 * `npm test`: they take minutes, and have a configuration of their own, `vitest.hosts.config.ts`.
 *
 * - `unit`: pure code, and one room at a time: `npm run test:unit`. The files share a process and what they import, since
 *   loading it anew for each took as long as the tests: they leave nothing behind in it.
 * - `unit-of-disks`: unit tests of `env`, some of which replace functions of `node:fs`: each file loads all anew.
 * - `simulation`: the whole ring on virtual time.
 * - `processes`: servers in processes of their own, the package, the documents.
 * - `sdk`: a whole server in the process of the test, driven by the official SDK.
 */
const UNIT = [
  'test/{api,dynamo,paper,peer,router,trace,wire}/**/*.test.ts',
  'test/host/!(cut-off-node|local-ring|lost-disks).test.ts',
  'test/cli/!(library|test-double).test.ts',
  'test/transfer/!(round-trip|resume).test.ts',
  'test/web/!(fair-share).test.ts',
  'test/tidy.test.ts',
];
const UNIT_OF_DISKS = ['test/env/!(lmdb-pages).test.ts'];
const SIMULATION = ['test/simulation/**/*.test.ts'];
const PROCESSES = [
  'test/{bench,documents,package,processes}/**/*.test.ts',
  'test/env/lmdb-pages.test.ts',
  'test/{examples,from-npm,recipes}.test.ts',
];

const HOSTS = ['test/hosts/**/*.test.ts'];

interface LaneOptions {
  readonly patienceMs: number;
  readonly exclude?: string[];
  readonly isolate?: boolean;
}

const lane = (name: string, include: string[], { patienceMs, exclude = [], isolate = true }: LaneOptions) => ({
  extends: true as const,
  test: { name, include, exclude, isolate, testTimeout: patienceMs, hookTimeout: patienceMs },
});

export default defineConfig({
  test: {
    projects: [
      // Far above what a test of the lane takes on a machine that has other things to do: it is for what hangs.
      lane('unit', UNIT, { patienceMs: 60_000, isolate: false }),
      lane('unit-of-disks', UNIT_OF_DISKS, { patienceMs: 60_000 }),
      lane('simulation', SIMULATION, { patienceMs: 120_000 }),
      lane('processes', PROCESSES, { patienceMs: 120_000 }),
      lane('sdk', ['test/**/*.test.ts'], {
        patienceMs: 60_000,
        exclude: [...UNIT, ...UNIT_OF_DISKS, ...SIMULATION, ...PROCESSES, ...HOSTS],
      }),
    ],
    globalSetup: ['test/build.ts'],
    // A second, the default, is too little on a machine that has other things to do.
    expect: { poll: { timeout: 20_000 } },
    // One fewer than there are cores is the default: on two, with tests that mostly wait, half of the time was lost.
    maxWorkers: Math.max(2, availableParallelism() - 1),
  },
});
