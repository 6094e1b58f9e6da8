import { expect, test } from 'vitest';
import { StoppableClock } from '../../src/env/stoppable-clock.ts';
import { ManualClock } from '../parts/manual-clock.ts';

test('timers run as those of the clock below, until it stops', () => {
  const below = new ManualClock();
  const clock = new StoppableClock(below);
  const ran: string[] = [];
  clock.after(1, () => ran.push('first'));
  clock.cancel(clock.after(1, () => ran.push('cancelled')));
  clock.after(3, () => ran.push('late'));
  below.advance(2);
  clock.stop();
  expect(clock.after(0, () => ran.push('after'))).toBe(undefined);
  below.advance(10);
  expect(ran).toEqual(['first']);
});
