import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { ROOT } from './snippets.ts';

/** A command of a page takes a second or two; this is for a machine that does much else. */
const PATIENCE_MS = 30_000;

export interface Ran {
  readonly status: number | null;
  /** What it wrote to both, in order. */
  readonly output: string;
}

/**
 * The folder in which the snippets of a page run one after the other, as a reader would type them: `dynaring` and the SDK are
 * installed in it, and a server listens on a port that stands for 8000.
 */
export class Scratch {
  readonly folder = mkdtempSync(join(tmpdir(), 'dynaring-page-'));
  readonly #port: number;
  #server: ChildProcess | undefined;

  private constructor(port: number) {
    this.#port = port;
    const modules = join(this.folder, 'node_modules');
    mkdirSync(join(modules, '.bin'), { recursive: true });
    symlinkSync(ROOT, join(modules, 'dynaring'));
    symlinkSync(join(ROOT, 'dist/cli.js'), join(modules, '.bin/dynaring'));
    for (const name of ['@aws-sdk', '@types', 'vitest', 'jest', 'express'])
      symlinkSync(join(ROOT, 'node_modules', name), join(modules, name));
    cpSync(join(ROOT, 'examples/orders.json'), join(this.folder, 'examples/orders.json'));
    cpSync(join(ROOT, 'examples/orders.json'), join(this.folder, 'seeds/orders.json'));
  }

  static async open(): Promise<Scratch> {
    return new Scratch(await freePort());
  }

  /** With the port of this page in place of 8000. */
  adapted(text: string): string {
    return text.replaceAll(/\b8000\b/g, String(this.#port));
  }

  /** Runs commands to their end. */
  run(command: string, ...args: string[]): Promise<Ran> {
    return finished(this.#spawn(command, args));
  }

  /** Runs commands of which the last is a server, in place of the one before it, and waits until it answers. */
  async serve(commands: string): Promise<string> {
    await this.#stopServer();
    const server = this.#spawn('bash', ['-euo', 'pipefail', '-c', this.adapted(commands)]);
    this.#server = server;
    let output = '';
    for (const stream of [server.stdout!, server.stderr!]) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        output += text;
      });
    }
    for (const deadlineMs = Date.now() + PATIENCE_MS; Date.now() < deadlineMs; await sleep(50)) {
      if (server.exitCode !== null) throw new Error(`ended with status ${server.exitCode}: ${output}`);
      const answer = await fetch(`http://127.0.0.1:${this.#port}/health`).catch(() => undefined);
      // What it prints comes a moment after it listens.
      if (answer?.ok) return sleep(100).then(() => output);
    }
    throw new Error(`no answer at port ${this.#port} within ${PATIENCE_MS} ms: ${output}`);
  }

  /** Has a server listen if none does. */
  async ensureServer(): Promise<void> {
    if (this.#server === undefined) await this.serve('exec node_modules/.bin/dynaring');
  }

  async close(): Promise<void> {
    await this.#stopServer();
    rmSync(this.folder, { recursive: true, force: true });
  }

  async #stopServer(): Promise<void> {
    const server = this.#server;
    if (server?.pid === undefined || server.exitCode !== null) return;
    const gone = new Promise((resolve) => server.once('close', resolve));
    // The shell, npx and the server are one group.
    process.kill(-server.pid, 'SIGTERM');
    await gone;
  }

  #spawn(command: string, args: readonly string[]): ChildProcess {
    return spawn(command, args, {
      cwd: this.folder,
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: {
        PATH: process.env.PATH,
        HOME: this.folder,
        NODE_NO_WARNINGS: '1',
        npm_config_update_notifier: 'false',
        DYNARING_PORT: String(this.#port),
        AWS_ENDPOINT_URL_DYNAMODB: `http://127.0.0.1:${this.#port}`,
        AWS_REGION: 'local',
        AWS_DEFAULT_REGION: 'local',
        AWS_ACCESS_KEY_ID: 'any',
        AWS_SECRET_ACCESS_KEY: 'any',
      },
    });
  }
}

/** A Python that has boto3, or undefined. */
export function pythonWithBoto3(): string | undefined {
  return ['python3', '/usr/bin/python3'].find((python) => succeeds(python, '-c', 'import boto3'));
}

function succeeds(command: string, ...args: string[]): boolean {
  try {
    execFileSync(command, args, { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

async function finished(child: ChildProcess): Promise<Ran> {
  let output = '';
  for (const stream of [child.stdout!, child.stderr!]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
  }
  const timer = setTimeout(() => process.kill(-child.pid!, 'SIGKILL'), PATIENCE_MS);
  const status = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  clearTimeout(timer);
  return { status, output };
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });
}
