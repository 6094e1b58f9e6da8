// Measures the start of the package as users install it: npm pack, npm install of the tarball in an empty folder, then
// node_modules/.bin/dynaring. Medians, and the slowest or largest in brackets.
// Run: npm run bench:start [NODE ...] with paths of other Node binaries to compare, if any.
import { execFileSync, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const ROUNDS = 9;
const IDLE_MS = 2_000;
const ASK_AGAIN_MS = 1;
const START_LIMIT_MS = 20_000;
const PORT = 8_765;

const folder = mkdtempSync(join(tmpdir(), 'dynaring-start-'));
try {
  const app = join(folder, 'app');
  mkdirSync(app);
  const run = (command, args, cwd) => execFileSync(command, args, { cwd, encoding: 'utf8', stdio: 'pipe' });
  const packed = JSON.parse(
    run('npm', ['pack', '--json', '--pack-destination', folder], join(import.meta.dirname, '..')),
  );
  const [{ filename, size, unpackedSize, entryCount }] = Array.isArray(packed) ? packed : Object.values(packed);
  writeFileSync(join(app, 'package.json'), '{ "private": true }');
  run('npm', ['install', '--no-audit', '--no-fund', '--omit=dev', join(folder, filename)], app);
  const { packages } = JSON.parse(readFileSync(join(app, 'package-lock.json'), 'utf8'));
  const installed = Object.keys(packages).filter(
    (path) => path !== '' && statSync(join(app, path), { throwIfNoEntry: false }),
  );
  console.log(`tarball: ${kb(size)} KB, ${kb(unpackedSize)} KB unpacked, ${entryCount} files`);
  console.log(
    `installed: ${(bytesBelow(join(app, 'node_modules')) / 1e6).toFixed(1)} MB, ${installed.length} packages`,
  );
  for (const node of [process.execPath, ...process.argv.slice(2)]) await measure(node, app);
} finally {
  rmSync(folder, { recursive: true, force: true });
}

async function measure(node, app) {
  const bin = join(app, 'node_modules/.bin/dynaring');
  const asked = [];
  const unasked = [];
  for (let round = 0; round < ROUNDS; round++) {
    asked.push(await start(node, bin, true));
    unasked.push(await start(node, bin, false));
  }
  console.log(`Node ${execFileSync(node, ['--version'], { encoding: 'utf8' }).trim()}`);
  console.log(`  spawn to first answer, ms: ${summary(asked.map(({ startMs }) => startMs))}`);
  for (const [name, starts] of Object.entries({ 'never asked': unasked, 'asked for /health and ListTables': asked })) {
    const line = ['VmRSS', 'Pss', 'RssAnon'].map(
      (figure) => `${figure} ${summary(starts.map((each) => each[figure]))}`,
    );
    console.log(`  ${IDLE_MS / 1_000} s later, ${name}, MB: ${line.join(', ')}`);
  }
}

/** Starts the server, waits for its answer if `isAsked`, and reads its memory two seconds later. */
async function start(node, bin, isAsked) {
  const beginMs = performance.now();
  const child = spawn(node, [bin, '--port', `${PORT}`], { stdio: 'ignore' });
  const ended = new Promise((resolve) => child.on('exit', resolve));
  try {
    const startMs = isAsked ? await untilAnswered(child, beginMs) : undefined;
    if (isAsked) await listTables();
    await sleep(IDLE_MS);
    const status = readFileSync(`/proc/${child.pid}/status`, 'utf8');
    const rollup = readFileSync(`/proc/${child.pid}/smaps_rollup`, 'utf8');
    const mb = (text, name) => Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(text)[1]) / 1024;
    return { startMs, VmRSS: mb(status, 'VmRSS'), RssAnon: mb(status, 'RssAnon'), Pss: mb(rollup, 'Pss') };
  } finally {
    child.kill();
    await ended;
  }
}

async function untilAnswered(child, beginMs) {
  for (;;) {
    const answer = await fetch(`http://127.0.0.1:${PORT}/health`).catch(() => undefined);
    await answer?.text();
    const nowMs = performance.now() - beginMs;
    if (answer?.status === 200) return nowMs;
    if (child.exitCode !== null || nowMs > START_LIMIT_MS) throw new Error('the server does not answer');
    await sleep(ASK_AGAIN_MS);
  }
}

async function listTables() {
  const headers = {
    'X-Amz-Target': 'DynamoDB_20120810.ListTables',
    'Content-Type': 'application/x-amz-json-1.0',
    'X-Amz-Date': '20260101T000000Z',
    Authorization:
      'AWS4-HMAC-SHA256 Credential=any/20260101/local/dynamodb/aws4_request, SignedHeaders=host, Signature=0',
  };
  const answer = await fetch(`http://127.0.0.1:${PORT}/`, { method: 'POST', headers, body: '{}' });
  if (!answer.ok) throw new Error(`ListTables is answered with ${answer.status}: ${await answer.text()}`);
}

function summary(figures) {
  const sorted = [...figures].sort((a, b) => a - b);
  return `${Math.round(sorted[Math.floor(sorted.length / 2)])} (${Math.round(sorted.at(-1))})`;
}

function bytesBelow(path) {
  const entries = readdirSync(path, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  return entries.reduce((sum, entry) => sum + statSync(join(entry.parentPath, entry.name)).size, 0);
}

function kb(bytes) {
  return Math.round(bytes / 1_000);
}
