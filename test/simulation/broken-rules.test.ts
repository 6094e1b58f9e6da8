import { describe, expect, it } from 'vitest';
import { simulateTwice } from './batch.ts';
import { BROKEN_RULES, type BrokenRule } from './broken-rules.ts';
import { SCENARIOS } from './scenarios.ts';
import { simulateHistory } from './simulation.ts';

/** The first seed whose history shows the defect as it is expected to show. */
function firstSeedThatShows({ defects, scenario, shows, histories }: BrokenRule): number | undefined {
  const simulate = shows === 'not-repeatable' ? simulateTwice : simulateHistory;
  for (let seed = 1; seed <= histories; seed++) {
    const { violations } = simulate(SCENARIOS[scenario], seed, defects);
    if (violations.some(({ kind }) => kind === shows)) return seed;
  }
  return undefined;
}

describe('the checker notices when it does not hold that', () => {
  for (const broken of Object.values<BrokenRule>(BROKEN_RULES)) {
    it(`${broken.rule}`, { timeout: 120_000 }, () => {
      expect(firstSeedThatShows(broken)).toBeDefined();
    });
  }

  it('has a rule for every kind of violation that it can report', () => {
    const shown = new Set(Object.values<BrokenRule>(BROKEN_RULES).map(({ shows }) => shows));
    expect([...shown].sort()).toEqual([
      'dirty-read',
      'diverged',
      'invariant',
      'lost-write',
      'not-healed',
      'not-linearizable',
      'not-repeatable',
      'stale-read',
      'unavailable',
    ]);
  });
});
