import { expect, test } from 'vitest';
import { showFailure } from './batch.ts';
import { SCENARIOS, type ScenarioName } from './scenarios.ts';
import { simulateHistory } from './simulation.ts';

/** Histories that were once taken for violations, or were: each with what had to be mended. */
const FOUND: readonly { readonly scenario: ScenarioName; readonly seed: number; readonly mended: string }[] = [
  {
    scenario: 'index-mix',
    seed: 6_007_990,
    mended: 'an epoch may begin without an entry whose removal is older than the grace, settled or not',
  },
  {
    scenario: 'index-added-stress',
    seed: 6_093_309,
    mended: 'what a register answers to a process dies with it',
  },
  {
    scenario: 'hosts-five',
    seed: 7_126_270,
    mended: 'a partition that is moved and reopened in turn is left alone for ever longer',
  },
  {
    scenario: 'local-rotting',
    seed: 6_290_724,
    mended: 'pages of a local index name an item of which the record and the row in the index are damaged',
  },
  {
    scenario: 'index-moves',
    seed: 6_627_893,
    mended: 'a founder whose first start was interrupted is not given a vote in a later epoch',
  },
];

test.for(FOUND)('seed $seed of $scenario: $mended', ({ scenario, seed }) => {
  const { violations } = simulateHistory(SCENARIOS[scenario], seed);
  expect(violations.length > 0 ? showFailure({ scenario, seed, violations }) : '').toBe('');
});
