import { type ChildProcess, spawn } from 'node:child_process';
import { get } from 'node:https';
import { createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

/** A server answers within a second; this is for a machine that does much else. */
const SERVER_PATIENCE_MS = 30_000;
/** What it prints comes a moment after it listens. */
const PRINTING_MS = 100;

export interface Ran {
  readonly status: number | null;
  /** What it wrote to standard output and standard error, in order. */
  readonly output: string;
}

/**
 * Where the commands of a page are run, as a reader would type them: a folder, an environment, and a free port that stands
 * for 8000, so that pages can be read side by side.
 */
export class Shell {
  readonly #port: number;
  readonly #env: Readonly<Record<string, string | undefined>>;
  readonly #patienceMs: number;
  #server: ChildProcess | undefined;

  private constructor(port: number, env: Readonly<Record<string, string | undefined>>, patienceMs: number) {
    this.#port = port;
    this.#patienceMs = patienceMs;
    this.#env = {
      NODE_NO_WARNINGS: '1',
      npm_config_update_notifier: 'false',
      DYNARING_PORT: String(port),
      AWS_ENDPOINT_URL_DYNAMODB: `http://127.0.0.1:${port}`,
      AWS_REGION: 'local',
      AWS_DEFAULT_REGION: 'local',
      AWS_ACCESS_KEY_ID: 'any',
      AWS_SECRET_ACCESS_KEY: 'any',
      ...env,
    };
  }

  /** @param patienceMs after which commands are ended */
  static async open(env: Readonly<Record<string, string | undefined>>, patienceMs: number): Promise<Shell> {
    return new Shell(await freePort(), env, patienceMs);
  }

  /** With the port of this shell in place of 8000. */
  adapted(text: string): string {
    return text.replaceAll(/\b8000\b/g, String(this.#port));
  }

  get hasServer(): boolean {
    return this.#server !== undefined;
  }

  /** Runs commands to their end. */
  async run(folder: string, command: string, ...args: string[]): Promise<Ran> {
    const child = this.#spawn(folder, command, args);
    const output = outputOf(child);
    const timer = setTimeout(() => process.kill(-child.pid!, 'SIGKILL'), this.#patienceMs);
    const status = await new Promise<number | null>((resolve, reject) => {
      child.once('error', reject);
      child.once('close', resolve);
    });
    clearTimeout(timer);
    return { status, output: output() };
  }

  /**
   * Runs commands of which the last is a server, in place of the one before it.
   * @param patienceMs until it answers
   * @returns what it has printed when it answers
   */
  async serve(folder: string, commands: string, patienceMs = SERVER_PATIENCE_MS): Promise<string> {
    await this.stopServer();
    const server = this.#spawn(folder, 'bash', ['-euo', 'pipefail', '-c', this.adapted(commands)]);
    this.#server = server;
    const output = outputOf(server);
    for (const deadlineMs = Date.now() + patienceMs; Date.now() < deadlineMs; await sleep(50)) {
      if (server.exitCode !== null) throw new Error(`ended with status ${server.exitCode}: ${output()}`);
      if (await isHealthy(this.#port)) return sleep(PRINTING_MS).then(output);
    }
    throw new Error(`no answer at port ${this.#port} within ${patienceMs} ms: ${output()}`);
  }

  async stopServer(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    if (server?.pid === undefined || server.exitCode !== null) return;
    const gone = new Promise((resolve) => server.once('close', resolve));
    // The shell, npx and the server are one group.
    process.kill(-server.pid, 'SIGTERM');
    await gone;
  }

  #spawn(cwd: string, command: string, args: readonly string[]): ChildProcess {
    return spawn(command, args, { cwd, detached: true, stdio: ['ignore', 'pipe', 'pipe'], env: this.#env });
  }
}

/** By HTTP or HTTPS, whichever the server on the port speaks. */
async function isHealthy(port: number): Promise<boolean> {
  const answer = await fetch(`http://127.0.0.1:${port}/health`).catch((error: TypeError) => error);
  if (!(answer instanceof Error)) return answer.ok;
  // Nobody listens yet: a server of HTTP that does a moment later would say that a client began with TLS.
  if ((answer.cause as NodeJS.ErrnoException | undefined)?.code === 'ECONNREFUSED') return false;
  return new Promise((resolve) => {
    const request = get({ port, path: '/health', rejectUnauthorized: false, agent: false });
    request.on('response', (response) => resolve(response.resume().statusCode === 200));
    request.on('error', () => resolve(false));
  });
}

function outputOf(child: ChildProcess): () => string {
  let output = '';
  for (const stream of [child.stdout!, child.stderr!]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
  }
  return () => output;
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
