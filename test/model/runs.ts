import type { Parameters } from 'fast-check';

const GIVEN = process.env.DYNARING_MODEL_RUNS;
const SEED = process.env.DYNARING_MODEL_SEED;

/** How many tables are made, each of which is asked some questions: more of them with `DYNARING_MODEL_RUNS`. */
export const RUNS = Number(GIVEN ?? 80);

/** The patience of a test in ms: as much as its runs may need. */
export const PATIENCE_MS = Math.max(60_000, RUNS * 2_000);

/**
 * How a property is run: with `DYNARING_MODEL_SEED`, the same each time. On a machine that has other things to do, fewer
 * runs are made; and a counterexample is reported as small as it has become by then.
 */
export function runs<Values>(numRuns: number): Parameters<Values> {
  return {
    numRuns: Math.ceil(numRuns),
    interruptAfterTimeLimit: PATIENCE_MS / 2,
    ...(SEED !== undefined && { seed: Number(SEED) }),
  };
}
