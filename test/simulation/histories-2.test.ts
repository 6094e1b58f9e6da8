import { expect, test } from 'vitest';
import { runBatch, showFailure } from './batch.ts';
import { SCENARIOS_IN_TURN } from './scenarios.ts';

// Half of the 2,000 histories of every test run; the other half is in another file, for the other core.
test('1,000 histories under faults of all kinds keep every guarantee', { timeout: 120_000 }, () => {
  const { histories, failure } = runBatch({
    firstSeed: 1_001,
    histories: 1_000,
    scenarios: SCENARIOS_IN_TURN,
  });
  expect(failure && showFailure(failure)).toBeUndefined();
  expect(histories).toBe(1_000);
});
