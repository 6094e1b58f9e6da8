import { expect, test } from 'vitest';
import { silentLog } from '../../src/env/log.ts';
import type { GoalSettings } from '../../src/peer/goal.ts';
import { ClusterSettings } from '../../src/serving/cluster-settings.ts';
import { ManualClock } from '../parts/manual-clock.ts';

const DEFAULTS = { consistency: 'strict', isolate: 'none', throttle: false, delayTransientStatuses: false } as const;
const THROTTLED = { ...DEFAULTS, throttle: true };

/** The settings of a process that was started with `said`, of a cluster with `goal`; undefined: it does not tell. */
function settingsOf({ said = {}, goal, kept }: { said?: object; goal?: GoalSettings; kept?: GoalSettings }) {
  const clock = new ManualClock();
  const saved: GoalSettings[] = [];
  const ended: string[] = [];
  const settings = new ClusterSettings({
    said,
    complete: { ...DEFAULTS, ...said },
    kept,
    keep: (next) => saved.push(next),
    adopt: async (mine) => (goal === undefined ? new Promise(() => {}) : { ...mine, ...goal }),
    clock,
    log: silentLog,
    onFatal: ({ message }) => ended.push(message),
  });
  return { settings, clock, saved, ended };
}

test('of a cluster that has some hold, and are kept; those of the first process that says any hold for a new one', async () => {
  const { settings, saved, clock } = settingsOf({ goal: THROTTLED });
  expect(await settings.settle()).toEqual(THROTTLED);
  expect(saved).toEqual([THROTTLED]);
  expect(clock.timers).toBe(0);
  expect(await settingsOf({ said: { throttle: true }, goal: {} }).settings.settle()).toEqual(THROTTLED);
  const again = settingsOf({ goal: THROTTLED, kept: THROTTLED });
  await again.settings.settle();
  expect(again.saved).toEqual([]);
});

test('of a process that says others are refused', async () => {
  await expect(settingsOf({ said: { throttle: false }, goal: THROTTLED }).settings.settle()).rejects.toThrow(
    '--throttle off is not what the cluster has, which is on',
  );
});

test('that were kept hold while too few nodes are there to tell; a process that was wrong ends', async () => {
  const { settings, clock, ended, saved } = settingsOf({ kept: THROTTLED });
  const settled = settings.settle();
  clock.advance(3_000);
  expect(await settled).toEqual(THROTTLED);
  settings.note(THROTTLED);
  expect(ended).toEqual([]);
  // It is certain by then: a change is for the next start.
  settings.note(DEFAULTS);
  expect(ended).toEqual([]);
  expect(saved).toEqual([DEFAULTS]);

  const wrong = settingsOf({});
  const guessed = wrong.settings.settle();
  wrong.clock.advance(3_000);
  expect(await guessed).toEqual(DEFAULTS);
  // Nobody has said anything yet.
  wrong.settings.note({});
  expect(wrong.ended).toEqual([]);
  wrong.settings.note(THROTTLED);
  expect(wrong.ended).toEqual([
    expect.stringMatching(/^the cluster has other settings .*"throttle":"on".*start it again$/),
  ]);
  expect(wrong.saved.at(-1)).toEqual(THROTTLED);
});
