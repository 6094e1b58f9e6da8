import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const CHILD = fileURLToPath(new URL('child.ts', import.meta.url));

/** Starts `child.ts`; what goes wrong in it is shown. */
export function startChild(command: string, path: string): ChildProcess {
  return spawn(process.execPath, ['--import', 'tsx', CHILD, command, path], { stdio: ['ignore', 'pipe', 'inherit'] });
}

/** The lines that the child says; a second call goes on where the first was left. */
export async function* linesOf(child: ChildProcess): AsyncGenerator<string> {
  const lines = LINES.get(child) ?? collectLines(child);
  for (;;) {
    const line = lines.unread.shift();
    if (line !== undefined) yield line;
    else if (lines.isEnded) return;
    else await new Promise<void>((resolve) => lines.waiting.push(resolve));
  }
}

interface Lines {
  readonly unread: string[];
  readonly waiting: (() => void)[];
  isEnded: boolean;
}

const LINES = new WeakMap<ChildProcess, Lines>();

function collectLines(child: ChildProcess): Lines {
  const lines: Lines = { unread: [], waiting: [], isEnded: false };
  LINES.set(child, lines);
  const wake = () => {
    for (const resolve of lines.waiting.splice(0)) resolve();
  };
  const reader = createInterface(child.stdout!);
  reader.on('line', (line) => {
    lines.unread.push(line);
    wake();
  });
  reader.on('close', () => {
    lines.isEnded = true;
    wake();
  });
  return lines;
}

/** The exit status, or null after a signal. */
export async function whenGone(child: ChildProcess): Promise<number | null> {
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
  return child.exitCode;
}
