import { describe, expect, test } from 'vitest';
import { readStory, storyNames } from './stories/library.ts';
import { parseStory } from './stories/parser.ts';
import { runStory, showResult } from './stories/runner.ts';
import type { Claim, Command } from './stories/story.ts';

/** The first twelve counterexamples of docs/protocol.md section 6 by number, and the parts of the twelfth. */
const COUNTEREXAMPLES = [
  ...['01', '02', '03', '04', '05', '06', '07', '08', '09', '10', '11'],
  ...['12-volatile-promises', '12-naive-rejoin', '12-naive-member-swap', '12-counted-substitutes', '12-solo-purge'],
  '12-lineage',
];

/** Those in which there is nothing to break; each says why. */
const WITHOUT_TWIN = ['ce-11-attempt-that-surfaces', 'ce-12-lineage-given-up'];

/** The rows of the table of faults (docs/protocol.md section 7), for both modes where these differ. */
const FAULTS = [
  ...['message-lost', 'message-late', 'message-late-dynamo', 'message-doubled'],
  ...['coordinator-dies-before-accept', 'coordinator-dies-on-minority', 'coordinator-dies-on-majority'],
  ...['coordinator-dies-dynamo', 'replica-restarts', 'replica-refuses-after-restart', 'replica-restarts-dynamo'],
  ...['minority-down', 'minority-down-w3', 'minority-down-dynamo', 'majority-down', 'majority-down-dynamo'],
  ...['disk-lost', 'disk-lost-dynamo', 'clock-skew', 'clock-skew-dynamo', 'clock-drift', 'clock-stepped-back'],
  ...['sdk-retry', 'two-coordinators', 'link-cut-one-way', 'link-cut-one-way-dynamo', 'node-added'],
  ...['controller-dies', 'away-for-long', 'away-over-epochs', 'away-over-epochs-dynamo'],
];

const STORIES = storyNames().map(readStory);

describe('the story', () => {
  for (const story of STORIES) {
    test(`${story.name} comes out as it says, and the same each time`, () => {
      const result = runStory(story);
      expect(result.surprises.length + result.violations.length, showResult(story, result)).toBe(0);
      expect(runStory(story).hash).toBe(result.hash);
    });

    if (story.broken === undefined) continue;
    const { rule, shows } = story.broken;
    test(`${story.name} does not without ${rule}`, () => {
      const result = runStory(story, true);
      const kinds = result.violations.map(({ kind }) => kind);
      expect(kinds, showResult(story, result)).toContain(shows);
      expect(runStory(story, true).hash).toBe(result.hash);
    });
  }
});

describe('the stories', () => {
  const names = STORIES.map(({ name }) => name);

  test('tell of every counterexample, and with its rule broken', () => {
    expect(COUNTEREXAMPLES.filter((id) => !names.some((name) => name.startsWith(`ce-${id}`)))).toEqual([]);
    const whole = STORIES.filter(({ name, broken }) => name.startsWith('ce-') && broken === undefined);
    expect(whole.map(({ name }) => name)).toEqual(WITHOUT_TWIN);
  });

  test('tell of every row of the tables of faults', () => {
    expect(FAULTS.filter((fault) => !names.includes(`fault-${fault}`))).toEqual([]);
  });

  test('say nothing that is true whatever happens', () => {
    for (const story of STORIES) {
      const steps = story.steps.map((step) => ({ ...step, command: withFalseExpectation(step.command) }));
      const falseLines = steps.flatMap(({ command, line }) => (isExpectation(command) ? [line] : []));
      expect(falseLines.length, story.name).toBeGreaterThan(2);
      const surprised = new Set(runStory({ ...story, steps }).surprises.map(({ line }) => line));
      expect(
        falseLines.filter((line) => !surprised.has(line)),
        story.name,
      ).toEqual([]);
    }
  });
});

describe('the language', () => {
  const told = (...lines: string[]) => parseStory('test', ['nodes A B C', ...lines].join('\n'));

  test('refuses what it does not know, and says where', () => {
    expect(() => told('A putts 1 -> applied')).toThrow('test.story:2: not understood: A putts 1 -> applied');
    expect(() => told('wait 5 ms', 'A puts 1 -> aplied')).toThrow('test.story:3: there is no such outcome as "aplied"');
    expect(() => told('A puts 1')).toThrow('test.story:2: what is expected is missing');
    expect(() => told('D reads -> 1')).toThrow('there is no node D');
    expect(() => told('drop acept A > B')).toThrow('there is no message acept');
    expect(() => told('breaks no-such-rule -> invariant')).toThrow('no such rule');
    expect(() => told('breaks no-lineage -> bad-luck')).toThrow('a broken rule shows as one of');
    expect(() => told('limit patience 5')).toThrow('no such limit');
    expect(() => told('put: A puts 1')).toThrow('test.story:2: put is not waited for');
    expect(() => told('put -> applied')).toThrow('test.story:2: put was not begun');
    expect(() => told('wait 5 ms', 'W 1')).toThrow('the setting comes before what happens');
  });

  test('shows the line that came out otherwise, and what happened', () => {
    const story = told('A puts 1 -> applied', 'B reads -> 2', 'wait 10 ms', 'all hold 1');
    const result = runStory(story);
    expect(result.surprises).toEqual([{ line: 3, text: 'B reads -> 2', expected: '2', got: '1' }]);
    expect(showResult(story, result)).toMatch(
      /^test\.story:3: B reads -> 2\n {2}expected 2, got 1\n[\s\S]*B > B {2}read\n/,
    );
  });

  test('is surprised by a rule for messages that never come, and by a release of nothing', () => {
    const { surprises } = runStory(told('drop purge A > B', 'A puts 1 -> applied', 'release accept A > B'));
    expect(surprises.map(({ line, got }) => [line, got])).toEqual([
      [4, 'nothing'],
      [2, 'none'],
    ]);
  });
});

/** A value that no story writes. */
const NEVER = '99';

function isExpectation({ kind }: Command): boolean {
  return kind === 'ask' || kind === 'join' || kind === 'expect';
}

function withFalseExpectation(command: Command): Command {
  if (command.kind === 'ask' || command.kind === 'join') return { ...command, expected: NEVER };
  return command.kind === 'expect' ? { kind: 'expect', claim: falseClaim(command.claim) } : command;
}

function falseClaim(claim: Claim): Claim {
  switch (claim.kind) {
    case 'holds':
    case 'has-accepted':
      return { ...claim, value: NEVER };
    case 'hints':
    case 'held':
      return { ...claim, count: Number(NEVER) };
    case 'epoch':
      return { ...claim, epoch: Number(NEVER) };
    case 'roots':
      return { ...claim, areEqual: !claim.areEqual };
  }
}
