import { describe, expect, test } from 'vitest';
import type { Invariant } from '../../src/dynamo/invariants.ts';
import { simulateTwice } from './batch.ts';
import { BROKEN_RULES, type BrokenRule } from './broken-rules.ts';
import { SCENARIOS } from './scenarios.ts';
import { simulateHistory } from './simulation.ts';

/** The first seed whose history shows the defect as it is expected to show, to a judge who sees only what happens. */
function firstSeedThatShows({ defects, scenario, shows, histories }: BrokenRule): number | undefined {
  const judged = { checks: 'cheap', ...defects } as const;
  const simulate = shows === 'not-repeatable' ? simulateTwice : simulateHistory;
  for (let seed = 1; seed <= histories; seed++) {
    const { violations } = simulate(SCENARIOS[scenario], seed, judged);
    if (violations.some(({ kind }) => kind === shows)) return seed;
  }
  return undefined;
}

/** The first seed in whose history an assertion of the code fails, and says which invariant does not hold. */
function firstSeedThatThrows({ defects, scenario, histories }: BrokenRule, invariant: Invariant): number | undefined {
  for (let seed = 1; seed <= histories; seed++) {
    const { violations } = simulateHistory(SCENARIOS[scenario], seed, { checks: 'all', ...defects });
    if (violations.some(({ kind, what }) => kind === 'threw' && what.includes(`(${invariant})`))) return seed;
  }
  return undefined;
}

describe('the checker notices when it does not hold that', () => {
  for (const broken of Object.values<BrokenRule>(BROKEN_RULES)) {
    test(`${broken.rule}`, { timeout: 120_000 }, () => {
      expect(firstSeedThatShows(broken)).toBeDefined();
    });

    const { asserts } = broken;
    if (asserts === undefined) continue;
    test(`${broken.rule}, and before that the code, by its assertion of ${asserts}`, { timeout: 120_000 }, () => {
      expect(firstSeedThatThrows(broken, asserts)).toBeDefined();
    });
  }

  test('has a rule for every kind of violation that it can report', () => {
    const shown = new Set(Object.values<BrokenRule>(BROKEN_RULES).map(({ shows }) => shows));
    expect([...shown].sort()).toEqual([
      'dirty-read',
      'diverged',
      'fork',
      'invariant',
      'lost-write',
      'not-healed',
      'not-linearizable',
      'not-repeatable',
      'stale-read',
      'two-clusters',
      'unavailable',
      'unfounded',
      'wrong-index',
      'wrong-stream',
    ]);
  });
});
