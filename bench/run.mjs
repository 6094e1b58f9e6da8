// npm run bench: compares Dynaring with a bare HTTP server and its peers. See README.md in this folder.
import { mkdirSync, writeFileSync } from 'node:fs';
import { cpus, loadavg } from 'node:os';
import { isDeepStrictEqual } from 'node:util';
import { makeItem, makeKey, tableName } from './items.mjs';
import { startLoad } from './load-process.mjs';
import { measureOperations } from './operations.mjs';
import { readOptions } from './options.mjs';
import { overload } from './overload.mjs';
import { itemPlans, tablePlans } from './plans.mjs';
import { memoryMb } from './process-stats.mjs';
import { report } from './report.mjs';
import { ask, createTable } from './requests.mjs';
import { chooseServers, killAllServers, startServer, stopServer } from './servers.mjs';

const TIME_LIMIT_MS = 90 * 60 * 1000;
const IDLE_MS = 2000;
const STARTS = 5;
/** By then V8 has compiled what a request runs through. A slow server gets no longer than this for it. */
const WARM = { requests: 16_000, items: 100_000, mostS: 15, mostQuicklyS: 1 };
/** What has tables of its own, and does not need the one of items by key. */
const OF_TABLES = [
  ...['Query', 'Scan', 'BatchGetItem', 'BatchWriteItem', 'UpdateItem', 'indexes'],
  ...['TransactWriteItems', 'TransactGetItems', 'GetRecords', 'streams'],
];

async function main() {
  const options = readOptions(process.argv.slice(2));
  if (options === undefined) return;
  if (process.platform !== 'linux') throw new Error('the bench reads /proc and so runs on Linux only');
  const { present, absent } = chooseServers(options.only, options.base);
  for (const { name, needs } of absent) progress(`${name} is left out: ${needs} is not there`);
  if (present.length === 0) throw new Error('nothing to measure');

  const load = startLoad();
  process.on('exit', () => load.stop());
  const results = {
    options,
    machine: machine(),
    starts: [],
    memory: [],
    operations: [],
    slices: [],
    overload: [],
    leftOut: [],
  };
  try {
    if (options.workloads.includes('start')) results.starts = await measureStarts(present, load, options);
    const servers = await startAll(present, load);
    if (options.workloads.includes('operations')) {
      for (const server of servers.filter(({ name }) => name !== 'bare'))
        results.operations.push(await measureOperations(server));
    }
    await measureWorkloads(servers, load, options, results);
    if (options.workloads.includes('overload')) {
      for (const server of servers) {
        if (options.quick && server.name !== 'dynaring-memory') continue;
        results.overload.push(await overload(server, load, options, progress));
      }
    }
    // Last, since its tables would be part of the memory that the others are charged with.
    await measureTables(servers, load, options, results);
    for (const server of servers) await stop(server, load);
  } finally {
    load.stop();
  }
  const path = save(results);
  console.log(report(results));
  progress(`written to ${path}`);
}

/** Measures the time from spawn to the first answer, in rounds over all servers. */
async function measureStarts(present, load, options) {
  const starts = [];
  for (let round = 0; round < (options.quick ? 2 : STARTS); round++) {
    for (const each of present) {
      const server = await start(each, load);
      starts.push({ server: server.name, round, startMs: server.startMs, startCpuMs: server.startCpuMs });
      await stop(server, load);
    }
  }
  return starts;
}

async function startAll(present, load) {
  const servers = [];
  for (const each of present) servers.push(await start(each, load));
  await new Promise((resolve) => setTimeout(resolve, IDLE_MS));
  return servers.map((server) => Object.assign(server, { idle: memoryMb(server.pid) }));
}

async function measureWorkloads(servers, load, options, results) {
  const base = { connections: options.connections, keyCount: options.keyCount, seconds: options.seconds };
  if (options.workloads.every((workload) => OF_TABLES.includes(workload))) return;
  for (const itemBytes of options.sizes) {
    for (const server of servers) {
      const { port, name } = server;
      progress(`${name}: ${options.keyCount} items of ${itemBytes} B`);
      await createTable(port, itemBytes);
      await load.run(server, { ...base, workload: 'Fill', itemBytes });
      await checkAnswer(name, port, itemBytes, options.keyCount - 1);
    }
    for (const plan of itemPlans(itemBytes, options))
      results.slices.push(...(await measureInRounds(plan, servers, load, options)));
    for (const { name, pid, idle } of servers)
      results.memory.push({ server: name, itemBytes, idle, underLoad: memoryMb(pid) });
  }
}

/**
 * The plans that need a table of their own, which is made once for all that share it. A server that has no such table,
 * or does not answer rightly, is left out of them.
 */
async function measureTables(servers, load, options, results) {
  const left = new Map(); // table -> the servers that have it
  for (const { table, prepare, order } of tablePlans(options)) {
    if (!left.has(table)) left.set(table, await prepareTable(servers, { table, prepare }, results));
    if (left.get(table).length === 0) continue;
    results.slices.push(...(await measureInRounds({ ...order, ofTables: true }, left.get(table), load, options)));
  }
}

async function prepareTable(servers, { table, prepare }, results) {
  const ready = [];
  for (const server of servers) {
    progress(`${server.name}: the table ${table}`);
    try {
      if (server.name !== 'bare') await prepare(server.port);
      ready.push(server);
    } catch (error) {
      results.leftOut.push({ server: server.name, table, why: error.message });
      progress(`${server.name} is left out: ${error.message}`);
    }
  }
  return ready;
}

/** Alternates between servers (A B C, A B C, ...), so that other activity of the machine affects all alike. */
async function measureInRounds({ title, ofTables = false, ...plan }, servers, load, options) {
  const slices = [];
  for (const server of servers) await warm(plan, server, load, options);
  progress(`${title}: warm`);
  for (let round = 0; round < options.rounds; round++) {
    for (const server of servers) {
      slices.push({ title, ofTables, server: server.name, round, ...(await load.run(server, plan)) });
    }
    progress(`${title}: round ${round + 1} of ${options.rounds}`);
  }
  return slices;
}

/** So many requests, and not only so much time: else whatever is measured first has its compilation to pay. */
async function warm(plan, server, load, { quick }) {
  const done = { requests: 0, items: 0 };
  for (let leftS = quick ? WARM.mostQuicklyS : WARM.mostS; leftS > 0; leftS -= plan.seconds) {
    const { requests, items } = await load.run(server, plan);
    done.requests += requests;
    done.items += items;
    if (done.requests >= WARM.requests || done.items >= WARM.items) return;
  }
}

/** Checks that the server really stores: the item comes back as it was put. The bare server stores nothing. */
async function checkAnswer(name, port, itemBytes, index) {
  if (name === 'bare') return;
  const { status, body } = await ask(port, 'GetItem', { TableName: tableName(itemBytes), Key: makeKey(index) });
  const { version: _, ...expected } = makeItem(itemBytes, index);
  const { version, ...got } = body.Item ?? {};
  if (status !== 200 || version?.N === undefined || !isDeepStrictEqual(got, expected)) {
    throw new Error(`${name} gave back another item than was put: ${status} ${JSON.stringify(body)}`);
  }
}

async function start(each, load) {
  const server = await startServer(each);
  load.watch(server);
  return server;
}

async function stop(server, load) {
  await stopServer(server);
  load.unwatch(server);
}

function machine() {
  const list = cpus();
  return {
    cpu: list[0].model,
    cores: list.length,
    node: process.version,
    loadBefore: loadavg()[0],
    at: new Date().toISOString(),
  };
}

function save(results) {
  const folder = new URL('results/', import.meta.url);
  mkdirSync(folder, { recursive: true });
  const file = new URL(`${results.machine.at.replaceAll(/[:.]/g, '-')}.json`, folder);
  writeFileSync(file, JSON.stringify(results, null, 1));
  return file.pathname;
}

function progress(text) {
  console.error(`# ${text}`);
}

process.on('exit', killAllServers);
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => process.exit(130));
setTimeout(() => {
  console.error('the bench took too long');
  process.exit(1);
}, TIME_LIMIT_MS).unref();
await main().catch((error) => {
  console.error(error);
  process.exitCode = 1;
});
process.exit();
