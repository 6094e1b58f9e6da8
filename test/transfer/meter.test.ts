import { describe, expect, test } from 'vitest';
import { barText, Meter, plainText, summaryText, timeText } from '../../src/transfer/meter.ts';
import { testWorld } from './test-world.ts';

const HALF = { table: 'Music', items: 90_000, bytes: 12_345_678, share: 0.5, retries: 0 };

describe('progress', () => {
  test('on a terminal is a bar with figures, and fits into a narrow window', () => {
    const wide = 'Music [############------------] 50%  90,000 items  12.3 MB  5,120/s  0:18 left';
    expect(barText(HALF, 5_120, 17.6, 80)).toBe(wide);
    expect(barText(HALF, 5_120, 17.6, wide.length)).toBe('Music 50%  90,000 items  12.3 MB  5,120/s  0:18 left');
    expect(barText(HALF, 5_120, 17.6, 20)).toBe('Music 50%  90,000 i');
  });

  test('leaves out what nobody knows', () => {
    expect(plainText({ ...HALF, items: 1, bytes: 12, share: undefined, retries: 3 }, 1, undefined)).toBe(
      'Music: 1 item, 12 bytes, 1/s, 3 retries',
    );
    expect(summaryText('imported nothing', ['1 bad line skipped'], 0, 0)).toBe(
      'imported nothing in 0.0 s, 1 bad line skipped',
    );
  });

  test('gives times as people read them', () => {
    expect([0.4, 65, 7_205].map(timeText)).toEqual(['0:00', '1:05', '2:00:05']);
  });

  test('gives way to a line, and is not shown to a quiet user', () => {
    const shownOn = (isQuiet: boolean, width = 80) => {
      const world = testWorld();
      let tick = () => {};
      const every = (_: number, task: () => void) => {
        tick = task;
        return () => {};
      };
      const meter = new Meter(
        { ...world, every, screen: { ...world.screen, isTerminal: true, columns: () => width } },
        { isQuiet },
      );
      meter.start(() => HALF);
      tick();
      meter.say('line');
      return world.seen();
    };
    expect(shownOn(false)).toMatch(/^\r\x1b\[KMusic \[#+-+\] 50% .*\r\x1b\[Kdynaring: line\n$/);
    expect(shownOn(true)).toBe('dynaring: line\n');
    // Of a terminal that nobody has told its size.
    expect(shownOn(false, 0)).toBe(shownOn(false));
  });
});
