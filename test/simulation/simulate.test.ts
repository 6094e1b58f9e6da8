import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import { SCENARIO_NAMES, SCENARIOS, type Scenario } from './scenarios.ts';
import { simulateHistory } from './simulation.ts';

const run = promisify(execFile);
const PROGRAM = fileURLToPath(new URL('run-bundled.mjs', import.meta.url));

interface Ended {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs `npm run simulate` with these arguments, without npm. */
async function simulate(...args: string[]): Promise<Ended> {
  try {
    return { status: 0, ...(await run(process.execPath, [PROGRAM, ...args])) };
  } catch (error) {
    const { code, stdout, stderr } = error as { code: number; stdout: string; stderr: string };
    return { status: code, stdout, stderr };
  }
}

function hashIn({ stdout }: Ended): string {
  return /trace hash ([0-9a-f]{16})/.exec(stdout)![1]!;
}

describe('a history', () => {
  test('is the same, event for event, each time it is run with one seed', () => {
    for (let seed = 1; seed <= 100; seed++) {
      const first = simulateHistory(SCENARIOS.stress, seed, {}, true);
      const second = simulateHistory(SCENARIOS.stress, seed, {}, true);
      expect(second.trace).toEqual(first.trace);
      expect(second.hash).toBe(first.hash);
    }
  });

  test('is another one with another seed', () => {
    const hashes = Array.from({ length: 100 }, (_, seed) => simulateHistory(SCENARIOS.mixed, seed).hash);
    expect(new Set(hashes).size).toBe(100);
  });
});

describe('a scenario with rules of lag', () => {
  const lagging = SCENARIO_NAMES.filter((name) => (SCENARIOS[name] as Scenario).lags);

  for (const name of lagging) {
    test(`has replicas that are held back, and readers who see it: ${name}`, () => {
      const traces = Array.from({ length: 40 }, (_, seed) => simulateHistory(SCENARIOS[name], seed, {}, true).trace!);
      const showing = (what: RegExp) => traces.filter((trace) => trace.some((line) => what.test(line))).length;
      expect(showing(/learned, held back/)).toBeGreaterThan(10);
      expect(showing(/is told: .* lagging-read: holds/)).toBeGreaterThan(10);
    });
  }
});

describe('npm run simulate', { timeout: 300_000 }, () => {
  // Two batches: two workers have one each.
  test('has one trace hash, however many processes share the work', async () => {
    const one = await simulate('--seed', '5', '--histories', '260', '--workers', '1');
    const two = await simulate('--seed', '5', '--histories', '260', '--workers', '2');
    expect(one.status).toBe(0);
    expect(one.stdout).toContain('260 histories');
    expect(hashIn(two)).toBe(hashIn(one));
  });

  test('prints a command that replays a violation with its trace', async () => {
    const found = await simulate('--broken', 'one-is-a-majority', '--histories', '100');
    expect(found.status).toBe(0);
    const command = /^npm run -s simulate -- (.*)$/m.exec(found.stdout)![1]!;
    const replayed = await simulate(...command.split(' '));
    expect(replayed.stdout).toMatch(/!! (invariant|not-linearizable|dirty-read): /);
    expect(replayed.stdout).toMatch(/A > B {2}prepare/);
  });

  test('fails when a broken rule goes unnoticed', async () => {
    const ended = await simulate('--broken', 'condition-false-shortcut', '--scenario', 'calm', '--histories', '10');
    expect(ended.status).toBe(1);
    expect(ended.stdout).toContain('NOT noticed');
  });

  test('refuses a scenario that does not exist, and names those that do', async () => {
    const ended = await simulate('--scenario', 'nonsense');
    expect(ended.status).toBe(2);
    expect(ended.stderr).toContain('unknown scenario nonsense; there are mixed, stress, calm');
  });
});
