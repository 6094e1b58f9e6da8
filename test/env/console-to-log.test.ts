import { afterEach, expect, test } from 'vitest';
import { sendConsoleToLog } from '../../src/env/console-to-log.ts';
import { createLog } from '../../src/env/log.ts';

const before = { ...console };

afterEach(() => {
  Object.assign(console, before);
});

test('what libraries write to the console is one line of the log, where its level is wanted', () => {
  for (const [level, count] of [
    ['debug', 2],
    ['info', 0],
  ] as const) {
    const lines: string[] = [];
    sendConsoleToLog(createLog({ level, format: 'json', write: (line) => lines.push(line), now: () => 0 }));
    console.error(new Error('MDB_MAP_FULL'));
    console.warn('two\nlines', 7);
    expect(lines).toHaveLength(count);
    if (count === 0) continue;
    expect(JSON.parse(lines[0]!).text).toContain('MDB_MAP_FULL\n    at ');
    expect(JSON.parse(lines[1]!)).toEqual({
      time: '1970-01-01T00:00:00.000Z',
      level: 'debug',
      message: 'a library writes to the console',
      text: 'two\nlines 7',
    });
  }
});
