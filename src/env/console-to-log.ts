import { format } from 'node:util';
import type { Log } from './log.ts';

/**
 * From now on what libraries write to the console goes to the log, at the level `debug`: lmdb-js writes each error there that it
 * also throws, as text over several lines. For a process of our own, not for one that others live in.
 */
export function sendConsoleToLog(log: Log): void {
  for (const name of ['log', 'info', 'warn', 'error'] as const) {
    console[name] = (...values: unknown[]) => log.debug('a library writes to the console', { text: format(...values) });
  }
}
