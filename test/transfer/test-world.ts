import { PassThrough, Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { runExport } from '../../src/transfer/export-command.ts';
import { runImport } from '../../src/transfer/import-command.ts';
import { LIMITS } from '../../src/transfer/transfer-limits.ts';
import type { World } from '../../src/transfer/world.ts';

export interface TestWorld extends World {
  /** What the user sees on standard error. */
  readonly seen: () => string;
  /** What went to standard output so far. */
  readonly printed: () => string;
  readonly interrupt: () => void;
}

/** A world whose pauses are short. */
export function testWorld(stdin: string | Buffer = '', env: Record<string, string> = {}): TestWorld {
  const stdout = new PassThrough();
  const interruption = new AbortController();
  const output: Buffer[] = [];
  let seen = '';
  stdout.on('data', (chunk: Buffer) => output.push(chunk));
  return {
    env,
    stdin: Readable.from([Buffer.from(stdin)]),
    stdout,
    screen: {
      isTerminal: false,
      columns: () => 80,
      write: (text) => {
        seen += text;
      },
    },
    nowMs: Date.now,
    random: Math.random,
    sleep: (ms, signal) => sleep(Math.min(ms / 4, 75) / (ms > LIMITS.interruptGraceMs ? 10 : 1), undefined, { signal }),
    every: (ms, task) => {
      const timer = setInterval(task, ms / 100);
      return () => clearInterval(timer);
    },
    interrupted: interruption.signal,
    seen: () => seen,
    printed: () => Buffer.concat(output).toString(),
    interrupt: () => interruption.abort(),
  };
}

export interface Ran {
  readonly seen: string;
  readonly printed: string;
}

/** Runs a subcommand quietly, as a user would; a failure rejects with its line. */
export async function run(
  command: 'import' | 'export',
  args: readonly string[],
  stdin?: string | Buffer,
  env?: Record<string, string>,
): Promise<Ran> {
  const world = testWorld(stdin, env);
  await (command === 'import' ? runImport : runExport)([...args, '--quiet'], world);
  return { seen: world.seen(), printed: world.printed() };
}
