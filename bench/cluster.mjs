import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { cpuTimeUs } from './process-stats.mjs';

/** Clusters of several processes on this machine, for the benches of them. */

const CLI = fileURLToPath(new URL('../dist/cli.js', import.meta.url));
const START_LIMIT_MS = 60_000;
const STOP_LIMIT_MS = 10_000;
const POLL_MS = 20;
const NODES = ['a', 'b', 'c'];
const running = new Set();
let lastPort = 20_000;

/** What can be measured: how the nodes reach each other, and whom clients ask. */
export const SHAPES = {
  one: { title: 'one process' },
  unix: { title: 'three, Unix sockets', sockets: 'unix' },
  tcp: { title: 'three, TLS', sockets: 'tcp' },
  front: { title: 'three and a front, TLS', sockets: 'tcp', hasFront: true },
};

/**
 * Starts a cluster, and waits until all of it serves. All nodes keep what they have in files, and none flushes them
 * (`--durability process`).
 *
 * @param placeOf where a node runs, by its name: `host` that it listens on, and `under`, a program that runs it with its
 *   arguments. Default: on the loopback interface
 * @returns `members`, the processes, each with `name`, `port`, `host`, `pid`, and what stops and starts it; `asked`, those
 *   of them that clients ask
 */
export async function startCluster({ sockets, hasFront = false }, placeOf = () => ({ host: '127.0.0.1' })) {
  const directory = mkdtempSync(join(tmpdir(), 'dynaring-bench-'));
  const cluster = { directory, members: [], asked: [] };
  running.add(cluster);
  if (sockets === undefined) {
    cluster.members.push(
      await memberOf('one', placeOf, ['--data-dir', join(directory, 'one'), '--durability', 'process']),
    );
  } else {
    const addresses = {};
    for (const name of [...NODES, 'front']) {
      const { host } = placeOf(name);
      addresses[name] = sockets === 'unix' ? join(directory, `${name}.sock`) : `${host}:${await freePort(host)}`;
    }
    const secret = join(directory, 'secret');
    writeFileSync(secret, 'a secret that the processes of this bench have in common\n', { mode: 0o600 });
    const among = ['--join', NODES.map((name) => addresses[name]).join()];
    if (sockets === 'tcp') among.push('--cluster-secret-file', secret);
    for (const name of NODES) {
      const disk = ['--node-id', name, '--data-dir', join(directory, name)];
      execFileSync(process.execPath, [CLI, 'init', ...disk, '--founders', NODES.join()], { stdio: 'pipe' });
      cluster.members.push(
        await memberOf(name, placeOf, ['serve', ...disk, '--peer-listen', addresses[name], ...among]),
      );
    }
    if (hasFront) {
      const front = ['serve', '--node-id', 'front', '--role', 'front', '--peer-listen', addresses.front, ...among];
      cluster.members.push(await memberOf('front', placeOf, front));
    }
  }
  for (const member of cluster.members) member.start();
  for (const member of cluster.members) await member.ready();
  cluster.asked = hasFront ? cluster.members.filter(({ name }) => name === 'front') : [...cluster.members];
  return cluster;
}

/** Stops a cluster, by force if it does not end by itself, and removes its data. */
export async function stopCluster(cluster) {
  await Promise.all(cluster.members.map((member) => member.stop('SIGTERM')));
  forget(cluster);
}

/** Runs a bench as the program, to the end of the process: however it ends, its clusters do too. */
export async function runBench(main) {
  process.on('exit', killAllClusters);
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => process.exit(130));
  await main().catch((error) => {
    console.error(error);
    process.exitCode = 1;
  });
  process.exit();
}

export function progress(text) {
  console.error(`# ${text}`);
}

/** The names of an option, comma-separated, all of which have to be among `known`. */
export function namesIn(text, known) {
  const names = text.split(',');
  const wrong = names.find((name) => !Object.hasOwn(known, name));
  if (wrong !== undefined) throw new Error(`${wrong} is none of ${Object.keys(known).join(', ')}`);
  return names;
}

/** For the exit of the process, when nothing can be awaited. */
function killAllClusters() {
  for (const cluster of running) {
    for (const { child } of cluster.members) child?.kill('SIGKILL');
    forget(cluster);
  }
}

/** What a cluster has used since its start: CPU time of all its processes, and what they have sent each other. */
export async function usageOf(cluster) {
  const usage = { atMs: performance.now(), cpuUs: 0, messages: 0, bytes: 0, frames: 0 };
  for (const { pid } of cluster.members) usage.cpuUs += cpuTimeUs(pid);
  for (const { host, port } of cluster.members) {
    const text = await (await fetch(`http://${host}:${port}/metrics`)).text();
    const lines = new Map(text.split('\n').map((line) => line.split(' ')));
    const figure = (name) => Number(lines.get(`dynaring_peer_${name}`) ?? 0);
    usage.messages += figure('messages_total{direction="sent"}');
    usage.bytes += figure('bytes_total{direction="sent"}');
    usage.frames += figure('frames_total');
  }
  return usage;
}

async function memberOf(name, placeOf, args) {
  const { host, under = [] } = placeOf(name);
  const port = await freePort(host);
  const all = [...under, process.execPath, CLI, ...args, '--host', host, '--port', port, '--log-level', 'error'];
  const member = {
    name,
    host,
    port,
    child: undefined,
    ended: undefined,
    errors: '',
    get pid() {
      return member.child.pid;
    },
    start() {
      const [program, ...rest] = all.map(String);
      const child = spawn(program, rest, { stdio: ['ignore', 'ignore', 'pipe'] });
      member.child = child;
      member.ended = new Promise((resolve) => child.once('exit', resolve));
      child.stderr.on('data', (text) => {
        member.errors = (member.errors + text).slice(-4000);
      });
    },
    async ready() {
      const untilMs = performance.now() + START_LIMIT_MS;
      for (;;) {
        const answer = await fetch(`http://${host}:${port}/health`, { signal: AbortSignal.timeout(5_000) }).catch(
          () => undefined,
        );
        if (answer?.ok) return;
        if (member.child.exitCode !== null) throw new Error(`${name} ended at its start: ${member.errors}`);
        if (performance.now() > untilMs) throw new Error(`${name} does not get ready: ${member.errors}`);
        await sleep(POLL_MS);
      }
    },
    signal: (signal) => member.child.kill(signal),
    async stop(signal) {
      member.child.kill(signal);
      const force = setTimeout(() => member.child.kill('SIGKILL'), STOP_LIMIT_MS);
      await member.ended;
      clearTimeout(force);
    },
  };
  return member;
}

function forget(cluster) {
  running.delete(cluster);
  rmSync(cluster.directory, { recursive: true, force: true });
}

/** @returns any port of an address that this process does not have, as in another network namespace */
function freePort(host) {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once('error', ({ code }) => (code === 'EADDRNOTAVAIL' ? resolve(lastPort++) : reject(new Error(code))));
    probe.listen(0, host, () => {
      const { port } = probe.address();
      probe.close(() => resolve(port));
    });
  });
}
