// Shows where Dynaring spends its time: runs it under V8's sampling profiler with one workload, and prints the
// functions and rooms of the samples taken during the load.
// usage: node bench/profile.mjs [WORKLOAD] [SERVER] [SECONDS] [ITEM_BYTES]
// WORKLOAD is GetItem, PutItem, Mixed or DeleteItem, or a title of a table's plan, as 'Query 100 gsi', 'Scan of 20000',
// 'PutItem with 1 GSIs'.
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startLoad } from './load-process.mjs';
import { readOptions } from './options.mjs';
import { tablePlans } from './plans.mjs';
import { createTable } from './requests.mjs';
import { chooseServers, killAllServers, startServer, stopServer } from './servers.mjs';

const KEYS = 10_000;
const TOP = 40;
const PROJECT = new URL('..', import.meta.url).href;

async function main([workload = 'GetItem', name = 'dynaring-memory', seconds = '8', itemBytes = '400']) {
  const directory = mkdtempSync(join(tmpdir(), 'dynaring-profile-'));
  const load = startLoad();
  process.on('exit', () => {
    killAllServers();
    load.stop();
    rmSync(directory, { recursive: true, force: true });
  });
  const [chosen] = chooseServers([name]).present;
  const server = await startServer(chosen, ['--cpu-prof', `--cpu-prof-dir=${directory}`, '--cpu-prof-interval=200']);
  load.watch(server);
  const order = await prepare(server, load, { workload, itemBytes: Number(itemBytes) });
  await load.run(server, { ...order, seconds: 2 }); // warm
  const result = await load.run(server, { ...order, seconds: Number(seconds) });
  const loadEndedAt = performance.now();
  await stopServer(server);
  const endedMs = performance.now() - loadEndedAt;
  const [file] = readdirSync(directory).filter((each) => each.endsWith('.cpuprofile'));
  const profile = JSON.parse(readFileSync(join(directory, file), 'utf8'));
  print({ workload, name, result, ...tally(profile, result.elapsedMs, endedMs) });
}

/** Makes and fills the table that the workload needs. @returns the order for the load generator */
async function prepare(server, load, { workload, itemBytes }) {
  const order = { workload, itemBytes, connections: 64, keyCount: KEYS };
  const plan = tablePlans({
    ...readOptions(['--sizes', String(itemBytes), '--scan-items', /\d+$/.exec(workload)?.[0] ?? '1']),
    counts: [Number(/^Query (\d+)/.exec(workload)?.[1] ?? 1)],
  }).find(({ order: { title } }) => title === workload);
  if (plan !== undefined) {
    await plan.prepare(server.port);
    return plan.order;
  }
  await createTable(server.port, itemBytes);
  await load.run(server, { ...order, workload: 'Fill' });
  return order;
}

/**
 * Self and inclusive microseconds of each function, over the samples of the `windowMs` that ended `endedMs` before the
 * profile did.
 */
function tally(profile, windowMs, endedMs) {
  const nodes = new Map(profile.nodes.map((node) => [node.id, node]));
  const parents = new Map(profile.nodes.flatMap((node) => (node.children ?? []).map((child) => [child, node.id])));
  const to = profile.endTime - endedMs * 1000;
  const from = to - windowMs * 1000;
  const self = new Map();
  const inclusive = new Map();
  let time = profile.startTime;
  profile.samples.forEach((id, index) => {
    const deltaUs = profile.timeDeltas[index + 1] ?? 0;
    time += profile.timeDeltas[index];
    if (time < from || time > to) return;
    count(self, label(nodes.get(id)), deltaUs);
    const onStack = new Set();
    for (let each = id; each !== undefined; each = parents.get(each)) onStack.add(label(nodes.get(each)));
    for (const each of onStack) count(inclusive, each, deltaUs);
  });
  return { self, inclusive };
}

function label({ callFrame: { functionName, url, lineNumber } }) {
  const place = url.startsWith(PROJECT) ? url.slice(PROJECT.length) : url;
  return `${functionName || '(anonymous)'}${place === '' ? '' : ` ${place}:${lineNumber + 1}`}`;
}

/** The part of the program that a function belongs to: a room of dist, a package, or Node itself. */
function roomOf(name) {
  const place = name.slice(name.indexOf(' ') + 1);
  const room = /^dist\/(?:(api|web|router|dynamo|env)\/|)/.exec(place);
  if (room) return `dist/${room[1] ?? '*'}`;
  const owner = /node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(place);
  if (owner) return owner[1];
  if (place.startsWith('node:'))
    return `node:${/(http|net|stream|event|timers|buffer|async|url|process)/.exec(place)?.[1] ?? 'other'}`;
  return name.startsWith('(') ? name : '(native)';
}

function print({ workload, name, result, self, inclusive }) {
  const perRequest = (us) => (us / result.requests).toFixed(2).padStart(7);
  const rooms = new Map();
  for (const [each, us] of self) count(rooms, roomOf(each), us);
  console.log(
    `${name}, ${workload}: ${result.requests} requests, ${(result.serverCpuUs / result.requests).toFixed(1)} us CPU each`,
  );
  console.log('\nself, us per request, by part');
  for (const [room, us] of descending(rooms)) console.log(perRequest(us), room);
  console.log('\nself, us per request');
  for (const [each, us] of descending(self).slice(0, TOP)) console.log(perRequest(us), each);
  console.log("\ninclusive, us per request, of the project's own functions");
  const own = descending(inclusive).filter(([each]) => / dist\//.test(each));
  for (const [each, us] of own.slice(0, TOP)) console.log(perRequest(us), each);
}

function count(map, key, us) {
  map.set(key, (map.get(key) ?? 0) + us);
}

function descending(map) {
  return [...map].sort(([, a], [, b]) => b - a);
}

await main(process.argv.slice(2)).catch((error) => {
  console.error(error);
  process.exitCode = 1;
});
process.exit();
