import { format } from 'node:util';
import type { Log } from './log.ts';

/**
 * Sends to the log, at the level `debug`, whatever libraries write to the console from now on: lmdb-js writes each
 * error that it throws to the console too, as text over several lines. Only for a process of our own, since it changes
 * `console` for the whole process.
 */
export function sendConsoleToLog(log: Log): void {
  for (const name of ['log', 'info', 'warn', 'error'] as const) {
    console[name] = (...values: unknown[]) => log.debug('a library writes to the console', { text: format(...values) });
  }
}
