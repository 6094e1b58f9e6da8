import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Ran, Shell } from './shell.ts';
import { ROOT } from './snippets.ts';

/** A command of a page takes a second or two; this is for a machine that does much else. */
const PATIENCE_MS = 25_000;

/**
 * The folder in which the snippets of a page run one after the other: `dynaring` and the SDK are installed in it, and there
 * are seeds.
 */
export class Scratch {
  readonly folder: string;
  readonly #shell: Shell;

  private constructor(folder: string, shell: Shell) {
    this.folder = folder;
    this.#shell = shell;
  }

  static async open(): Promise<Scratch> {
    const folder = mkdtempSync(join(tmpdir(), 'dynaring-page-'));
    const modules = join(folder, 'node_modules');
    mkdirSync(join(modules, '.bin'), { recursive: true });
    symlinkSync(ROOT, join(modules, 'dynaring'));
    symlinkSync(join(ROOT, 'commonjs/cli.cjs'), join(modules, '.bin/dynaring'));
    symlinkSync(join(ROOT, 'node_modules/@aws-sdk'), join(modules, '@aws-sdk'));
    cpSync(join(ROOT, 'examples/orders.json'), join(folder, 'examples/orders.json'));
    cpSync(join(ROOT, 'examples/orders.json'), join(folder, 'seeds/orders.json'));
    return new Scratch(folder, await Shell.open({ PATH: process.env.PATH, HOME: folder }, PATIENCE_MS));
  }

  adapted(text: string): string {
    return this.#shell.adapted(text);
  }

  run(command: string, ...args: string[]): Promise<Ran> {
    return this.#shell.run(this.folder, command, ...args);
  }

  serve(commands: string): Promise<string> {
    return this.#shell.serve(this.folder, commands);
  }

  /** Has a server listen if none does. */
  async ensureServer(): Promise<void> {
    if (!this.#shell.hasServer) await this.serve('exec node_modules/.bin/dynaring');
  }

  async close(): Promise<void> {
    await this.#shell.stopServer();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** A Python that has boto3, or undefined. */
export function pythonWithBoto3(): string | undefined {
  return ['python3', '/usr/bin/python3'].find((python) => {
    try {
      execFileSync(python, ['-c', 'import boto3'], { stdio: 'ignore' });
      return true;
    } catch {
      return false;
    }
  });
}
