import type { Readable, Writable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';

/** A terminal, or what stands in for it. */
export interface Screen {
  readonly isTerminal: boolean;
  /** In characters; undefined where nobody knows. */
  columns(): number | undefined;
  write(text: string): void;
}

/**
 * The edge of this room: whatever is not a function of its inputs, but for files and sockets. `realWorld` is the process;
 * tests bring their own.
 */
export interface World {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly stdin: Readable;
  readonly stdout: Writable;
  readonly screen: Screen;
  /** The time of day. */
  nowMs(): number;
  /** From 0 up to, and without, 1. */
  random(): number;
  /** Ends early, by a rejection, when the signal is given. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
  /** Calls again and again, until the returned function is called. */
  every(ms: number, task: () => void): () => void;
  /** Given once the user wants the transfer to end. */
  readonly interrupted: AbortSignal;
}

/** SIGINT and SIGTERM are the user's wish to end; a second one ends the process as it is, with `status`. */
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
