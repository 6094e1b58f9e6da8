import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { CreateTableCommand, DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { onTestFinished } from 'vitest';

const CLI = fileURLToPath(new URL('../../dist/cli.js', import.meta.url));
/** Far above what a start or a stop takes, far below a test's own limit. */
const PATIENCE_MS = 10_000;

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
  readonly exited: Promise<Exit>;
  /** Sends the signal, and waits for the end. */
  stop(signal: 'SIGTERM' | 'SIGINT' | 'SIGKILL'): Promise<Exit>;
  /** A client of the unmodified SDK that tries each command once. Closed with the test. */
  client(): DynamoDBClient;
}

interface Launch {
  readonly env?: Readonly<Record<string, string>>;
  /** The bounds of `ulimit -f`: no file may grow beyond it. */
  readonly maxFileBytes?: number;
}

/** Runs `dynaring` to its end. */
export async function runToExit(args: readonly string[], launch: Launch = {}): Promise<Exit> {
  const { exited, child } = start(args, launch);
  const exit = await Promise.race([exited, sleep(PATIENCE_MS, undefined, { ref: false })]);
  if (exit !== undefined) return exit;
  child.kill('SIGKILL');
  throw new Error(`still running after ${PATIENCE_MS} ms: ${args.join(' ')}`);
}

/** Starts `dynaring` and waits until it says that it is ready. It ends with the test at the latest. */
export async function startServer(args: readonly string[], launch: Launch = {}): Promise<Server> {
  const { child, exited, output } = start(['--port', '0', ...args], launch);
  const ready = new Promise<string>((resolve, reject) => {
    child.stdout!.on('data', () => {
      const endpoint = /^export AWS_ENDPOINT_URL_DYNAMODB=(\S+)$/m.exec(output.stdout)?.[1];
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
    exited,
    stop: (signal) => {
      child.kill(signal);
      return exited;
    },
    client: () => clientOf(endpoint),
  };
}

function start(args: readonly string[], { env, maxFileBytes }: Launch) {
  const options = { env: { PATH: process.env.PATH, ...env }, stdio: ['ignore', 'pipe', 'pipe'] as const };
  // `ulimit -f` counts blocks of 1,024 bytes in bash.
  const child: ChildProcess =
    maxFileBytes === undefined
      ? spawn(process.execPath, [CLI, ...args], { ...options, stdio: [...options.stdio] })
      : spawn('bash', ['-c', `ulimit -f ${maxFileBytes / 1024}; exec "$0" "$@"`, process.execPath, CLI, ...args], {
          ...options,
          stdio: [...options.stdio],
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
    child.kill('SIGTERM');
    const isGone = await Promise.race([exited, sleep(PATIENCE_MS, undefined, { ref: false })]);
    if (isGone === undefined) child.kill('SIGKILL');
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

/** An empty directory that is removed with the test. */
export async function temporaryDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'dynaring-test-'));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  return directory;
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
