import { mkdirSync, readdirSync, readFileSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, onTestFinished, test } from 'vitest';
import { Shell } from '../documents/shell.ts';
import { patternOf, ROOT, snippetsOf } from '../documents/snippets.ts';
import { temporaryDirectory } from '../parts/directory.ts';
import { freePorts } from '../parts/free-ports.ts';

const PAGE = 'docs/operations.md';
/** What the page has nodes listen on. */
const PORTS = [8001, 8002, 8003, 8004, 8101, 8102, 8103, 8104];
/** How the page begins a file that is a program. */
const SCRIPT = "<<'END'\n";
/** A command of the page waits until a node is moved; this is for what hangs. */
const PATIENCE_MS = 180_000;

test(`${PAGE}: what it says is what happens`, { timeout: 600_000 }, async () => {
  const folder = temporaryDirectory();
  const bin = join(folder, 'bin');
  mkdirSync(bin);
  symlinkSync(join(ROOT, 'commonjs/cli.cjs'), join(bin, 'dynaring'));
  // In the place of those of the page: `800$2` of its script, too.
  const ports = await freePorts(PORTS.length);
  const adapted = (text: string) => {
    let page = text.replaceAll('800$2', second('clients')).replaceAll('810$2', second('peers'));
    for (const [at, port] of PORTS.entries()) page = page.replaceAll(new RegExp(`\\b${port}\\b`, 'g'), `${ports[at]}`);
    return page;
  };
  const arrays = `clients=(- ${ports.slice(0, 4).join(' ')}); peers=(- ${ports.slice(4).join(' ')})\n`;
  const env = {
    PATH: `${bin}:${process.env.PATH}`,
    HOME: folder,
    AWS_ENDPOINT_URL_DYNAMODB: `http://127.0.0.1:${ports[0]}`,
  };
  const shell = await Shell.open(env, PATIENCE_MS);
  onTestFinished(() => stopAll(folder));

  for (const { at, language, text, printed } of snippetsOf(PAGE)) {
    expect(language, at).toBe('sh');
    // The script that starts a node is a program of its own.
    const commands = arrays + adapted(text).replace(SCRIPT, `${SCRIPT}${arrays}`);
    const { status, output } = await shell.run(folder, 'bash', '-euo', 'pipefail', '-c', commands);
    expect(status, `${at}\n${output}`).toBe(0);
    if (printed !== undefined) expect(output.trimEnd(), at).toMatch(patternOf(adapted(printed)));
  }
});

/** In bash, the element of an array that `$2` is the index of; for `replaceAll`, so a `$` stands twice. */
function second(array: string): string {
  return `$\{${array}[$2]}`.replaceAll('$', '$$$$');
}

/** Ends the processes that the page has left running. */
async function stopAll(folder: string): Promise<void> {
  const pids = readdirSync(folder)
    .filter((file) => file.endsWith('.pid'))
    .map((file) => Number(readFileSync(join(folder, file), 'utf8')));
  const signal = (pid: number, name: NodeJS.Signals | 0) => {
    try {
      return process.kill(pid, name);
    } catch {
      return false;
    }
  };
  for (const pid of pids) signal(pid, 'SIGTERM');
  for (let waits = 0; waits < 100 && pids.some((pid) => signal(pid, 0)); waits++) await sleep(100);
  for (const pid of pids) signal(pid, 'SIGKILL');
}
