import type { Readable, Writable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';

/** A terminal, or its replacement. */
export interface Screen {
  readonly isTerminal: boolean;
  /** In characters; undefined if it is not known. */
  columns(): number | undefined;
  write(text: string): void;
}

/**
 * The edge of this room: everything that is not a function of its inputs, except files and sockets. `realWorld` is the
 * process; tests bring their own.
 */
export interface World {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly stdin: Readable;
  readonly stdout: Writable;
  readonly screen: Screen;
  /** Wall-clock time, milliseconds since 1970. */
  nowMs(): number;
  /** At least 0, and below 1. */
  random(): number;
  /** Rejects early when the signal is aborted. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
  /** Calls the task at intervals, until the returned function is called. */
  every(ms: number, task: () => void): () => void;
  /** Aborted once the user interrupts the transfer. */
  readonly interrupted: AbortSignal;
}

/** SIGINT and SIGTERM interrupt the transfer; a second one ends the process at once, with `status`. */
export function realWorld(status: number): World {
  const { stdin, stdout, stderr, env } = process;
  const interruption = new AbortController();
  const interrupt = () => {
    if (interruption.signal.aborted) process.exit(status);
    interruption.abort();
  };
  process.on('SIGINT', interrupt);
  process.on('SIGTERM', interrupt);
  return {
    env,
    stdin,
    stdout,
    screen: {
      isTerminal: stderr.isTTY === true,
      columns: () => stderr.columns,
      write: (text) => {
        stderr.write(text);
      },
    },
    nowMs: Date.now,
    random: Math.random,
    sleep: (ms, signal) => sleep(ms, undefined, { signal }),
    every: (ms, task) => {
      const timer = setInterval(task, ms);
      return () => clearInterval(timer);
    },
    interrupted: interruption.signal,
  };
}
