import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { gunzipSync, gzipSync } from 'node:zlib';
import { type DynamoDBClient, paginateScan } from '@aws-sdk/client-dynamodb';
import { describe, expect, test } from 'vitest';
import { temporaryDirectory } from '../parts/directory.ts';
import { createTable, runToExit, startServer } from './server-process.ts';

const CLI = fileURLToPath(new URL('../../dist/cli.js', import.meta.url));
const COUNT = 5_000;

const linesOf = (count: number) =>
  Array.from({ length: count }, (_, at) => `{"Item":{"id":{"S":"item ${at}"},"n":{"N":"${at}"}}}\n`).join('');

async function countItems(client: DynamoDBClient, TableName: string): Promise<number> {
  const ids = new Set<string>();
  for await (const { Items } of paginateScan({ client }, { TableName, ConsistentRead: true })) {
    for (const { id } of Items!) ids.add(id!.S!);
  }
  return ids.size;
}

const contentOf = (path: string) => (existsSync(path) ? readFileSync(path, 'utf8') : '');

/** So that a transfer can be hit in the middle, however fast the machine is. */
async function slowDown(endpoint: string, operation: string, ms: number): Promise<void> {
  const rule = { kind: 'latency', ms, operation };
  const headers = { 'content-type': 'application/json' };
  const posted = await fetch(`${endpoint}/_dynaring/faults`, { method: 'POST', headers, body: JSON.stringify(rule) });
  expect(posted.ok).toBe(true);
}

/** Starts `dynaring`, and ends it by a signal once its progress file says that something more was done. */
async function interrupt(args: readonly string[], progressFile: string, signal: 'SIGKILL' | 'SIGINT') {
  const child: ChildProcess = spawn(process.execPath, [CLI, ...args], { stdio: ['ignore', 'ignore', 'pipe'] });
  let stderr = '';
  child.stderr!.on('data', (text) => {
    stderr += text;
  });
  const exited = new Promise<number | null>((resolve) => child.once('close', resolve));
  const [before, limit] = [contentOf(progressFile), Date.now() + 10_000];
  while (contentOf(progressFile) === before && child.exitCode === null && Date.now() < limit) await sleep(5);
  const startedMs = Date.now();
  child.kill(signal);
  const status = await exited;
  return { status, stderr, tookMs: Date.now() - startedMs };
}

describe('an import', () => {
  test('that kill -9 ends in the middle goes on to exactly the full table, and so after SIGINT', async () => {
    const server = await startServer(['--nodes', '1']);
    const client = server.client();
    await createTable(client, 'Log');
    const file = join(temporaryDirectory(), 'log.json.gz');
    writeFileSync(file, gzipSync(linesOf(COUNT)));
    const args = ['import', file, '--table', 'Log', '--endpoint', server.endpoint, '--concurrency', '4'];
    const progress = `${file}.dynaring-progress`;
    await slowDown(server.endpoint, 'BatchWriteItem', 100);
    const putIn = () => JSON.parse(readFileSync(progress, 'utf8')).state.current.totals.put as number;

    expect((await interrupt(args, progress, 'SIGKILL')).status).toBe(null);
    const afterKill = putIn();
    expect(afterKill).toBeGreaterThan(0);
    expect(afterKill).toBeLessThan(COUNT);

    const ended = await interrupt(args, progress, 'SIGINT');
    expect(ended).toMatchObject({ status: 130 });
    expect(ended.stderr).toContain(`dynaring: ended; the same command goes on from here (${progress})\n`);
    expect(ended.tookMs).toBeLessThan(1_000);
    const afterInterrupt = putIn();
    expect(afterInterrupt).toBeGreaterThanOrEqual(afterKill);

    await fetch(`${server.endpoint}/_dynaring/faults`, { method: 'DELETE' });
    const { status, stderr } = await runToExit(args);
    expect(status).toBe(0);
    expect(stderr).toContain(`${afterInterrupt.toLocaleString('en')} items before`);
    expect(await countItems(client, 'Log')).toBe(COUNT);
    expect(existsSync(progress)).toBe(false);
  });

  test('of a bad line ends with one line that names it, and status 1', async () => {
    const server = await startServer(['--nodes', '1']);
    await createTable(server.client(), 'Log');
    const file = join(temporaryDirectory(), 'log.json');
    writeFileSync(file, `${linesOf(3)}{"Item":{"id":{"N":"1"}}}\n`);
    expect(await runToExit(['import', file, '--table', 'Log', '--endpoint', server.endpoint])).toEqual({
      status: 1,
      signal: null,
      stdout: '',
      stderr: `dynaring: ${file}:4: ValidationException: One or more parameter values were invalid: Type mismatch for key id expected: S actual: N; --skip-bad-lines goes on after such lines\n`,
    });
  });

  test('reads a file of 60 MB without holding it', async () => {
    const server = await startServer(['--nodes', '1']);
    await createTable(server.client(), 'Log');
    const file = join(temporaryDirectory(), 'log.json.gz');
    // 60 MB of lines that are refused at once, so that reading them is all there is.
    const bad = `{"Item":{"id":{"N":"${'1'.repeat(3_000)}"}}}\n`;
    writeFileSync(file, gzipSync(bad.repeat(20_000)));
    const args = ['import', file, '--table', 'Log', '--endpoint', server.endpoint, '--skip-bad-lines'];
    const measured = [
      '-e',
      `process.argv.splice(1, 0, ${JSON.stringify(CLI)}); process.on('exit', () => console.log(process.resourceUsage().maxRSS)); import(${JSON.stringify(CLI)})`,
    ];
    const child = spawn(process.execPath, [...measured, ...args], { stdio: ['ignore', 'pipe', 'ignore'] });
    let stdout = '';
    child.stdout.on('data', (text) => {
      stdout += text;
    });
    await new Promise((resolve) => child.once('close', resolve));
    expect(Number(stdout)).toBeGreaterThan(1_000);
    expect(Number(stdout)).toBeLessThan(260_000);
  });
});

describe('an export', () => {
  test('that kill -9 ends in the middle goes on to a whole file', async () => {
    const server = await startServer(['--nodes', '1']);
    const client = server.client();
    await createTable(client, 'Log');
    const folder = temporaryDirectory();
    const [input, output] = [join(folder, 'in.json'), join(folder, 'out.json.gz')];
    // Some pages for each segment: a page is 1 MB.
    const filler = 'x'.repeat(300_000);
    const item = (at: number) => `{"Item":{"id":{"S":"item ${at}"},"filler":{"S":"${filler}"}}}\n`;
    writeFileSync(input, Array.from({ length: 40 }, (_, at) => item(at)).join(''));
    const endpoint = ['--endpoint', server.endpoint];
    expect((await runToExit(['import', input, '--table', 'Log', ...endpoint])).status).toBe(0);
    await slowDown(server.endpoint, 'Scan', 300);
    const args = ['export', '--table', 'Log', '--output', output, '--segments', '2', ...endpoint];
    expect((await interrupt(args, `${output}.dynaring-progress`, 'SIGKILL')).status).toBe(null);
    expect(existsSync(output)).toBe(false);
    const { status, stderr } = await runToExit(args);
    expect(stderr).toMatch(/goes on after (\d+) items\n.*exported (\d+) items of Log/);
    const [, earlier, later] = /goes on after (\d+) items\n.*exported (\d+) items of Log/.exec(stderr)!;
    expect(Number(earlier) + Number(later)).toBe(40);
    expect(status).toBe(0);
    const lines = gunzipSync(readFileSync(output)).toString().trimEnd().split('\n');
    expect(new Set(lines.map((line) => JSON.parse(line).Item.id.S)).size).toBe(40);
    expect(lines).toHaveLength(40);
  });

  test('to standard output has the items there and all else on standard error', async () => {
    const server = await startServer(['--nodes', '1']);
    await createTable(server.client(), 'Log');
    const endpoint = { env: { AWS_ENDPOINT_URL: server.endpoint } };
    const file = join(temporaryDirectory(), 'log.json');
    writeFileSync(file, linesOf(3));
    await runToExit(['import', file, '--table', 'Log'], endpoint);
    const { status, stdout, stderr } = await runToExit(['export', '--table=Log'], endpoint);
    expect(stdout.split('\n').sort().join('\n')).toBe(`\n${linesOf(3).trim()}`);
    expect(stderr).toMatch(/^dynaring: exported 3 items of Log to standard output in .* s .*\n$/);
    expect(status).toBe(0);
  });

  test('whose reader goes away says so', async () => {
    const server = await startServer(['--nodes', '1']);
    await createTable(server.client(), 'Log');
    const file = join(temporaryDirectory(), 'log.json');
    writeFileSync(file, linesOf(3_000));
    await runToExit(['import', file, '--table', 'Log', '--endpoint', server.endpoint]);
    const child = spawn(process.execPath, [CLI, 'export', '--table', 'Log', '--endpoint', server.endpoint], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    child.stdout.destroy();
    let stderr = '';
    child.stderr.on('data', (text) => {
      stderr += text;
    });
    const status = await new Promise((resolve) => child.once('close', resolve));
    expect({ status, stderr }).toEqual({ status: 1, stderr: 'dynaring: standard output: whoever read it has gone\n' });
  });
});

describe('options', () => {
  test.each([
    [['--help'], /^Usage: dynaring \[options\] .*\n +dynaring import\|export/],
    [['import', '--help'], /^Usage: dynaring import FILE/],
    [['import', '-h'], /^Usage: dynaring import FILE/],
    [['export', '--nonsense', '--help'], /^Usage: dynaring export --table/],
  ])('%j print help and end with status 0', async (args, text) => {
    const { status, stdout, stderr } = await runToExit(args);
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(stdout).toMatch(text);
    expect(stdout.split('\n').filter((line) => line.length > 100)).toEqual([]);
  });

  test.each([
    [['import'], 'nothing to import: name a file, a folder, - or --from-endpoint; --help tells more'],
    [['import', 'nothing.json', '--table', 'T'], 'nothing.json: there is no such file'],
    [['import', 'a', '--tabel', 'T'], 'there is no option --tabel; did you mean --table?'],
    [['import', 'a', '-table', 'T'], 'there is no option -table; did you mean --table?'],
    [['import', 'a', '--colour=red'], 'there is no option --colour; --help lists those there are'],
    [['import', 'a', '--table'], '--table needs a value: --table NAME'],
    [['import', 'a', '--table', '--all'], '--table needs a value: --table NAME'],
    [['import', '-', '--create', 'nothing.json'], '--create nothing.json: there is no such file'],
    [['import', 'a', '--batch-size', '26'], '--batch-size must be a whole number from 1 to 25, not "26"'],
    [['import', 'a', 'b'], 'import takes one file or folder, not also "b"'],
    [
      ['import', 'a', '--table', 'x', '--concurrency', '0'],
      '--concurrency must be a whole number from 1 to 1024, not "0"',
    ],
    [['import', 'a', '--column', 'x=Q'], /^--column must be NAME=TYPE with one of S, N, .*, not "x=Q"$/],
    [['import', '-', '--table', 'x', '--rejects', 'f'], /^--rejects needs --skip-bad-lines/],
    [['import', 'a', '--endpoint', 'localhost:8000'], /^--endpoint must be a URL such as http/],
    [
      ['import', '--from-region', 'eu-west-1', '--table', 'x'],
      /^dynamodb.eu-west-1.amazonaws.com needs credentials in/,
    ],
    [['export'], 'which table? --table NAME, or --all'],
    [['export', 'Music'], 'export takes options only, not "Music": --output names a file'],
    [['export', '--all'], 'more than one table needs --output FOLDER'],
    [['export', '--all', '--output', 'x.json'], 'more than one table needs a folder, which --output x.json is not'],
    [['export', '--table', 'a', '--quiet=1'], '--quiet takes no value'],
    [['export', '--table', 'a', '--format', 'CSV'], '--format must be one of json, csv, not "CSV"; did you mean csv?'],
    [['export', '--table', 'a', '--format', 'ion'], '--format must be one of json, csv, not "ion"'],
  ])('%j end with one line and status 1', async (args, problem) => {
    const { status, stdout, stderr } = await runToExit(args);
    expect({ status, stdout }).toEqual({ status: 1, stdout: '' });
    const line = /^dynaring: (.*)\n$/.exec(stderr)?.[1];
    if (typeof problem === 'string') expect(line).toBe(problem);
    else expect(line).toMatch(problem);
  });
});
