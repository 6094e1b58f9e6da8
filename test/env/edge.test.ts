import { describe, expect, test } from 'vitest';
import { SystemClock } from '../../src/env/clock.ts';
import { createLog, type LogOptions, silentLog } from '../../src/env/log.ts';
import { randomBelow, SeededRandom, SystemRandom } from '../../src/env/random.ts';

describe('seeded chance', () => {
  test('repeats itself for a seed, and differs between seeds', () => {
    const draw = (seed: number) => {
      const random = new SeededRandom(seed);
      return Array.from({ length: 5 }, () => randomBelow(random, 1_000_000));
    };
    expect(draw(7)).toEqual(draw(7));
    expect(draw(7)).not.toEqual(draw(8));
    // Fixed, so that a seed that someone wrote down stays worth something.
    expect(draw(1)).toEqual([627073, 2735, 527447, 981050, 968377]);
  });

  test('is even', () => {
    const random = new SeededRandom(3);
    const counts = new Array<number>(10).fill(0);
    for (let at = 0; at < 100_000; at++) counts[randomBelow(random, 10)]!++;
    for (const count of counts) expect(Math.abs(count - 10_000)).toBeLessThan(400);
  });
});

test("the system's chance stays in its range and does not repeat itself", () => {
  const random = new SystemRandom();
  const numbers = Array.from({ length: 1_000 }, () => random.next());
  for (const number of numbers) expect(number >= 0 && number < 1).toBe(true);
  expect(new Set(numbers).size).toBe(1_000);
});

test('the system clock runs what it is told later, and not what was cancelled', async () => {
  const clock = new SystemClock();
  const said: string[] = [];
  const start = clock.elapsedMs();
  await new Promise<void>((resolve) => {
    clock.cancel(clock.after(1, () => said.push('cancelled')));
    clock.after(20, resolve);
    said.push('first');
  });
  expect(said).toEqual(['first']);
  expect(clock.elapsedMs() - start).toBeGreaterThanOrEqual(19);
  expect(Math.abs(clock.now() - Date.now())).toBeLessThan(1_000);
});

describe('the log', () => {
  const lines = (options: Partial<LogOptions>) => {
    const written: string[] = [];
    const log = createLog({
      level: 'info',
      format: 'text',
      write: (line) => written.push(line),
      now: () => 0,
      ...options,
    });
    return { log, written };
  };

  test('leaves out what is below its level', () => {
    const { log, written } = lines({ level: 'warn' });
    log.debug('a');
    log.info('b');
    log.warn('c');
    log.error('d');
    expect(written.map((line) => line.split(' ').at(-1))).toEqual(['c', 'd']);
    const silent = lines({ level: 'silent' });
    silent.log.error('e');
    silentLog.error('e');
    expect(silent.written).toEqual([]);
  });

  test('writes for people', () => {
    const { log, written } = lines({});
    log.warn('the disk is full', {
      node: 'a',
      path: 'two words',
      error: new Error('ENOSPC'),
      left: 0,
      nothing: undefined,
    });
    expect(written).toEqual([
      '1970-01-01T00:00:00.000Z WARN  the disk is full node=a path="two words" error=ENOSPC left=0',
    ]);
  });

  test('writes JSON', () => {
    const { log, written } = lines({ format: 'json' });
    log.info('started', { port: 8000, size: 12n, bytes: new Uint8Array(3) });
    expect(written.map((line) => JSON.parse(line))).toEqual([
      {
        time: '1970-01-01T00:00:00.000Z',
        level: 'info',
        message: 'started',
        port: 8000,
        size: '12',
        bytes: '<3 bytes>',
      },
    ]);
  });

  test.each(['text', 'json'] as const)('keeps a message with line ends on one line, as %s', (format) => {
    const { log, written } = lines({ format });
    log.info('one\r\n1970-01-01T00:00:00.000Z ERROR forged', { text: 'two\nthree' });
    expect(written).toHaveLength(1);
    expect(written[0]).not.toMatch(/[\r\n]/);
  });
});
