import { createHash } from 'node:crypto';
import { BROKEN_RULES, type BrokenRuleName, type Defects } from './broken-rules.ts';
import type { Violation } from './checks.ts';
import { SCENARIOS, type Scenario, type ScenarioName } from './scenarios.ts';
import { type Result, simulateHistory } from './simulation.ts';

/** Histories with consecutive seeds; of several scenarios, each seed is run in one of them. */
export interface Batch {
  readonly firstSeed: number;
  readonly histories: number;
  readonly scenarios: readonly ScenarioName[];
  readonly broken?: BrokenRuleName | undefined;
  /** Whether each history is run twice, which has to give the same trace. */
  readonly isTwice?: boolean | undefined;
}

export interface Failure {
  readonly seed: number;
  readonly scenario: ScenarioName;
  readonly violations: readonly Violation[];
}

export interface BatchResult {
  /** Fewer than asked for if one failed: the batch ends there. */
  readonly histories: number;
  readonly operations: number;
  readonly unknown: number;
  /** Over the hashes of the histories, in order. */
  readonly hash: string;
  readonly failure: Failure | undefined;
}

export function scenarioOf(seed: number, scenarios: readonly ScenarioName[]): ScenarioName {
  return scenarios[seed % scenarios.length]!;
}

/** Runs a history twice, the second time as bytes, and adds a violation if it was not the same, event for event. */
export function simulateTwice(scenario: Scenario, seed: number, defects: Defects): Result {
  const first = simulateHistory(scenario, seed, defects);
  const { hash } = simulateHistory(scenario, seed, defects, false, true);
  if (hash === first.hash) return first;
  const what = `trace hash ${first.hash} the first time, ${hash} the second`;
  return { ...first, violations: [...first.violations, { kind: 'not-repeatable', what }] };
}

/** Runs histories until one fails. */
export function runBatch({ firstSeed, histories, scenarios, broken, isTwice }: Batch): BatchResult {
  const defects = broken === undefined ? {} : BROKEN_RULES[broken].defects;
  let operations = 0;
  let unknown = 0;
  let hash = '';
  for (let seed = firstSeed; seed < firstSeed + histories; seed++) {
    const scenario = scenarioOf(seed, scenarios);
    const what = SCENARIOS[scenario] as Scenario;
    // Each scenario sends bytes in its first turn, whatever the seeds are.
    const sendsBytes = seed <= scenarios.length ? true : undefined;
    const result =
      isTwice === true ? simulateTwice(what, seed, defects) : simulateHistory(what, seed, defects, false, sendsBytes);
    operations += result.operations;
    unknown += result.unknown;
    hash = combineHashes(hash, result.hash);
    if (result.violations.length > 0) {
      const failure = { seed, scenario, violations: result.violations };
      return { histories: seed - firstSeed + 1, operations, unknown, hash, failure };
    }
  }
  return { histories, operations, unknown, hash, failure: undefined };
}

/** The order matters, and nothing else: the same histories in the same order give the same hash. */
export function combineHashes(one: string, other: string): string {
  return createHash('sha256').update(one).update(other).digest('hex').slice(0, 16);
}

/** The command that runs one history again and prints all that happens in it. */
export function replayCommand({ seed, scenario }: Failure, broken?: BrokenRuleName): string {
  const rule = broken === undefined ? '' : ` --broken ${broken}`;
  return `npm run -s simulate -- --scenario ${scenario} --seed ${seed} --histories 1 --trace${rule}`;
}

export function showFailure(failure: Failure, broken?: BrokenRuleName): string {
  const violations = failure.violations.map(({ kind, what }) => `  ${kind}: ${what}`);
  return [`seed ${failure.seed} of ${failure.scenario}:`, ...violations, replayCommand(failure, broken)].join('\n');
}
