import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { cpuTimeUs } from './process-stats.mjs';
import { ask } from './requests.mjs';

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const DYNARING = here('../dist/cli.js');
const BARE = here('bare-server.mjs');
const DYNALITE = here('node_modules/dynalite/cli.js');
const DYNOXIDE = here('node_modules/@dynoxide/linux-x64/dynoxide');

const node = (script, ...args) => [process.execPath, script, ...args];
const dynalite = (port, ...args) =>
  node(DYNALITE, '--host', '127.0.0.1', '--port', port, '--createTableMs', '0', ...args);
const dynoxide = (port, ...args) => [DYNOXIDE, 'serve', '--host', '127.0.0.1', '--port', port, ...args];

/** All servers that can be measured. `command(port, directory)` returns the program and its arguments. */
const SERVERS = [
  { name: 'bare', needs: BARE, command: (port) => node(BARE, port, ...BARE_ITEM_SIZES) },
  ...dynarings('dynaring', DYNARING),
  { name: 'dynalite-memory', needs: DYNALITE, command: (port) => dynalite(port) },
  { name: 'dynalite-disk', needs: DYNALITE, command: (port, directory) => dynalite(port, '--path', directory) },
  { name: 'dynoxide-memory', needs: DYNOXIDE, command: (port) => dynoxide(port) },
  {
    name: 'dynoxide-disk',
    needs: DYNOXIDE,
    command: (port, directory) => dynoxide(port, '--db-path', join(directory, 'bench.sqlite')),
  },
];

/** A build of Dynaring with each durability. */
function dynarings(name, cli) {
  const command = (port, ...args) => node(cli, '--port', port, '--log-level', 'error', ...args);
  return [
    { name: `${name}-memory`, needs: cli, command: (port) => command(port, '--durability', 'memory') },
    ...['process', 'disk'].map((durability) => ({
      name: `${name}-${durability}`,
      needs: cli,
      command: (port, directory) => command(port, '--durability', durability, '--data-dir', directory),
    })),
  ];
}

const BARE_ITEM_SIZES = [400, 4096, 100 * 1024];
const START_LIMIT_MS = 15_000;
const STOP_LIMIT_MS = 3_000;
const running = new Set();

/**
 * The servers of `names` that are installed here. A name is a full name, or the part before the dash for all of that
 * family.
 * @param base the directory of another build of Dynaring, with its `dist`: the family `base`
 */
export function chooseServers(names, base) {
  const all = base === undefined ? SERVERS : [...SERVERS, ...dynarings('base', resolve(base, 'dist/cli.js'))];
  const named = (server) => names.some((name) => server.name === name || server.name.startsWith(`${name}-`));
  const chosen = all.filter((server) => names.length === 0 || named(server));
  return {
    present: chosen.filter((server) => existsSync(server.needs)),
    absent: chosen.filter((server) => !existsSync(server.needs)),
  };
}

/**
 * Starts a server on a free port, and waits for its first answer. `startMs` is the time between the two, `startCpuMs`
 * the CPU time in between.
 */
export async function startServer({ name, command }, nodeOptions = []) {
  const port = await freePort();
  const directory = mkdtempSync(join(tmpdir(), 'dynaring-bench-'));
  const [program, ...args] = command(port, directory).map(String);
  const begin = performance.now();
  const child = spawn(program, [...nodeOptions, ...args], { stdio: ['ignore', 'ignore', 'pipe'] });
  const server = { name, port, directory, child, pid: child.pid, errors: '', ended: undefined };
  server.ended = new Promise((resolve) => {
    child.once('exit', resolve);
    child.once('error', resolve);
  });
  child.stderr.on('data', (text) => {
    server.errors = (server.errors + text).slice(-4000);
  });
  running.add(server);

  for (;;) {
    if (child.exitCode !== null || child.pid === undefined) {
      throw new Error(`${name} ended at its start: ${server.errors}`);
    }
    const { status } = await ask(port, 'ListTables', {});
    const startMs = performance.now() - begin;
    if (status === 200) return Object.assign(server, { startMs, startCpuMs: cpuTimeUs(child.pid) / 1000 });
    if (startMs > START_LIMIT_MS) throw new Error(`${name} does not answer (status ${status}): ${server.errors}`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

/** Stops a server, by force if it does not exit by itself, and removes its data. */
export async function stopServer(server) {
  server.child.kill('SIGTERM');
  const force = setTimeout(() => server.child.kill('SIGKILL'), STOP_LIMIT_MS);
  await server.ended;
  clearTimeout(force);
  forget(server);
}

/** For the exit of the process, when nothing can be awaited. */
export function killAllServers() {
  for (const server of running) {
    server.child.kill('SIGKILL');
    forget(server);
  }
}

function forget(server) {
  running.delete(server);
  rmSync(server.directory, { recursive: true, force: true });
}

function freePort() {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once('error', reject);
    probe.listen(0, '127.0.0.1', () => {
      const { port } = probe.address();
      probe.close(() => resolve(port));
    });
  });
}
