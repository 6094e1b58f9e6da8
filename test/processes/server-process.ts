import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { CreateTableCommand, DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { onTestFinished } from 'vitest';
import { freePorts } from '../parts/free-ports.ts';

export const CLI = fileURLToPath(new URL('../../dist/cli.js', import.meta.url));
/** Far above what a start or a stop takes, far below a test's own limit. */
const PATIENCE_MS = 30_000;
const POLL_MS = 20;

export interface Exit {
  readonly status: number | null;
  readonly signal: string | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Server {
  readonly port: number;
  readonly endpoint: string;
  readonly stdout: () => string;
  readonly stderr: () => string;
  readonly exited: Promise<Exit>;
  readonly pid: number;
  /** Sends the signal, and waits for the end. */
  stop(signal: 'SIGTERM' | 'SIGINT' | 'SIGKILL'): Promise<Exit>;
  /** Stops reading what it prints, as `head` does: what it prints from now on fails. */
  closeOutput(): void;
  /** A client of the unmodified SDK that tries each command once. Closed with the test. */
  client(): DynamoDBClient;
}

interface Launch {
  readonly env?: Readonly<Record<string, string>>;
  /** The bounds of `ulimit -f`: no file may grow beyond it. */
  readonly maxFileBytes?: number;
  readonly cwd?: string;
  /** A program that runs the server, with its arguments: `setpriv`, `unshare`. Signals go to it. */
  readonly under?: readonly string[] | undefined;
  /** Of another build. Default: that of this one. */
  readonly cli?: string | undefined;
  /** How it is ended with the test. Default: in order, and by force if that takes too long. */
  readonly endBy?: 'SIGTERM' | 'SIGKILL' | undefined;
}

/** Runs `dynaring` to its end. */
export async function runToExit(args: readonly string[], launch: Launch = {}): Promise<Exit> {
  const { exited, child } = beginServer(args, launch);
  const exit = await Promise.race([exited, sleep(PATIENCE_MS, undefined, { ref: false })]);
  if (exit !== undefined) return exit;
  child.kill('SIGKILL');
  throw new Error(`still running after ${PATIENCE_MS} ms: ${args.join(' ')}`);
}

/** Starts `dynaring` and waits until it says that it is ready. It ends with the test at the latest. */
export async function startServer(args: readonly string[], launch: Launch = {}): Promise<Server> {
  const isQuiet = /--log-level[ =](warn|error|silent)/.test(args.join(' '));
  const port = isQuiet ? (await freePorts(1))[0]! : 0;
  const { child, exited, output } = beginServer(args, {
    ...launch,
    env: { DYNARING_PORT: String(port), ...launch.env },
  });
  const ready = new Promise<string | undefined>((resolve, reject) => {
    if (isQuiet) untilHealthy(`http://127.0.0.1:${port}`).then(resolve);
    child.stdout!.on('data', () => {
      const endpoint = /(?:^export AWS_ENDPOINT_URL_DYNAMODB=|"endpoint":")([^"\s]+)/m.exec(output.stdout)?.[1];
      if (endpoint !== undefined) resolve(endpoint);
    });
    exited.then((exit) => reject(new Error(`ended with status ${exit.status}: ${exit.stderr}`)), reject);
  });
  const endpoint = await Promise.race([ready, sleep(PATIENCE_MS, undefined, { ref: false })]);
  if (endpoint === undefined) throw new Error(`not ready after ${PATIENCE_MS} ms: ${output.stdout}${output.stderr}`);
  return {
    endpoint,
    port: Number(new URL(endpoint).port),
    stdout: () => output.stdout,
    stderr: () => output.stderr,
    exited,
    pid: child.pid!,
    stop: (signal) => {
      child.kill(signal);
      return exited;
    },
    closeOutput: () => {
      child.stdout!.destroy();
      child.stderr!.destroy();
    },
    client: () => clientOf(endpoint),
  };
}

/** A quiet server does not say that it is ready: it has to be asked. */
async function untilHealthy(endpoint: string): Promise<string | undefined> {
  for (let waitedMs = 0; waitedMs < PATIENCE_MS; waitedMs += POLL_MS) {
    const status = await fetch(`${endpoint}/health`, { headers: { connection: 'close' } }).then(
      (answer) => answer.status,
      () => undefined,
    );
    if (status === 200) return endpoint;
    await sleep(POLL_MS, undefined, { ref: false });
  }
}

/**
 * Starts `dynaring` and waits for nothing. It ends with the test at the latest. Its temporary directory is its own unless
 * `env` names one: a server looks there for what killed servers have left, and says so.
 */
export function beginServer(args: readonly string[], launch: Launch) {
  const { env, maxFileBytes, cwd, under = [], cli = CLI, endBy = 'SIGTERM' } = launch;
  const TMPDIR = mkdtempSync(join(tmpdir(), 'dynaring-test-'));
  // `ulimit -f` counts blocks of 1,024 bytes in bash.
  const limited = maxFileBytes && ['bash', '-c', `ulimit -f ${maxFileBytes / 1024}; exec "$0" "$@"`];
  const [program, ...rest] = [...(limited || under), process.execPath, cli, ...args];
  const child: ChildProcess = spawn(program!, rest, {
    env: { PATH: process.env.PATH, TMPDIR, ...env },
    cwd,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const output = { stdout: '', stderr: '' };
  child.stdout!.setEncoding('utf8').on('data', (text: string) => {
    output.stdout += text;
  });
  child.stderr!.setEncoding('utf8').on('data', (text: string) => {
    output.stderr += text;
  });
  const exited = new Promise<Exit>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (status, signal) => resolve({ status, signal, ...output }));
  });
  onTestFinished(async () => {
    child.kill(endBy);
    const isGone = await Promise.race([exited, sleep(PATIENCE_MS, undefined, { ref: false })]);
    if (isGone === undefined) {
      child.kill('SIGKILL');
      await exited;
    }
    await rm(TMPDIR, { recursive: true, force: true });
  });
  return { child, exited, output };
}

/** A client that tries once, so that each answer is that of one request. */
export function clientOf(endpoint: string): DynamoDBClient {
  const client = new DynamoDBClient({
    endpoint,
    region: 'local',
    credentials: { accessKeyId: 'any', secretAccessKey: 'any' },
    maxAttempts: 1,
  });
  onTestFinished(() => client.destroy());
  return client;
}

/** Creates a table whose partition key is the text `id`. */
export async function createTable(client: DynamoDBClient, TableName: string): Promise<void> {
  await client.send(
    new CreateTableCommand({
      TableName,
      AttributeDefinitions: [{ AttributeName: 'id', AttributeType: 'S' }],
      KeySchema: [{ AttributeName: 'id', KeyType: 'HASH' }],
      BillingMode: 'PAY_PER_REQUEST',
    }),
  );
}
