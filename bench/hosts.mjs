// node bench/hosts.mjs: what an operation costs a cluster of several processes. See README.md in this folder.
import { loadavg } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { namesIn, progress, runBench, SHAPES, startCluster, stopCluster, usageOf } from './cluster.mjs';
import { openConnection } from './connection.mjs';
import { makeItem, makeKey, tableName } from './items.mjs';
import { buildRequest, createTable } from './requests.mjs';

const HELP = `usage: node bench/hosts.mjs [options]
  --only NAMES         comma-separated: one, unix, tcp, front (default all)
  --workloads NAMES    comma-separated: PutItem, GetItem, GetItemStrong, Query (default all)
  --concurrency LIST   requests under way at a time (default 1,16)
  --seconds N          of each measurement (default 1)
  --rounds N           how often each is taken (default 3)
  --help`;
const ITEM_BYTES = 1024;
const KEYS = 1_000;
/** For how long what goes on without requests is measured. */
const IDLE_MS = 3_000;
/** By then V8 has compiled what a request runs through. */
const WARM_S = 1.5;
const ANSWER_LIMIT_MS = 20_000;

const TableName = tableName(ITEM_BYTES);
const WORKLOADS = {
  PutItem: (index, version) => buildRequest('PutItem', { TableName, Item: makeItem(ITEM_BYTES, index, version) }),
  GetItem: (index) => buildRequest('GetItem', { TableName, Key: makeKey(index) }),
  GetItemStrong: (index) => buildRequest('GetItem', { TableName, Key: makeKey(index), ConsistentRead: true }),
  Query: (index) =>
    buildRequest('Query', {
      TableName,
      KeyConditionExpression: 'pk = :pk',
      ExpressionAttributeValues: { ':pk': makeKey(index).pk },
    }),
};

async function main() {
  const options = readOptions();
  if (options === undefined) return;
  const clusters = [];
  for (const name of options.only) {
    progress(`${SHAPES[name].title}: starts`);
    clusters.push({ name, ...(await startCluster(SHAPES[name])) });
  }
  for (const cluster of clusters) {
    await createTable(cluster.asked[0].port, ITEM_BYTES);
    await fill(cluster);
  }
  await sleep(IDLE_MS);
  for (const cluster of clusters) cluster.idle = await idleOf(cluster);
  const results = [];
  for (const workload of options.workloads) {
    const requests = Array.from({ length: KEYS }, (_, index) => WORKLOADS[workload](index, Date.now()));
    for (const cluster of clusters) await drive(cluster, { requests, concurrency: 16, seconds: WARM_S });
    for (const concurrency of options.concurrency) {
      for (let round = 0; round < options.rounds; round++) {
        for (const cluster of clusters) {
          const run = await drive(cluster, { requests, concurrency, seconds: options.seconds });
          results.push({ workload, concurrency, name: cluster.name, ...run });
        }
      }
      progress(`${workload}, ${concurrency} at a time: done`);
    }
  }
  report(clusters, results);
  for (const cluster of clusters) await stopCluster(cluster);
}

/** Puts each item once, and checks one of them: what is measured is a cluster that stores. */
async function fill(cluster) {
  const requests = Array.from({ length: KEYS }, (_, index) => WORKLOADS.PutItem(index, 1));
  const { statuses } = await drive(cluster, { requests, concurrency: 16, isOnce: true });
  if (statuses[200] !== KEYS) throw new Error(`not all items were put: ${JSON.stringify(statuses)}`);
  const { bodyBytes } = await drive(cluster, { requests: [WORKLOADS.GetItemStrong(7)], concurrency: 1, isOnce: true });
  if (bodyBytes < ITEM_BYTES) throw new Error('an item that was put is not there');
}

/** What a cluster uses in a second in which nobody asks anything. */
async function idleOf(cluster) {
  const before = await usageOf(cluster);
  await sleep(IDLE_MS);
  const after = await usageOf(cluster);
  const seconds = (after.atMs - before.atMs) / 1_000;
  return Object.fromEntries(
    ['cpuUs', 'messages', 'bytes'].map((each) => [each, (after[each] - before[each]) / seconds]),
  );
}

/**
 * Sends requests at random, so many at a time, each after the other to the next of the processes that clients ask; or
 * each request once.
 * @returns counts, latencies, and what the cluster used meanwhile for each request, without what it uses idle
 */
async function drive(cluster, { requests, concurrency, seconds = 0, isOnce = false }) {
  const slots = await Promise.all(Array.from({ length: concurrency }, () => openSlot(cluster.asked)));
  const latencies = [];
  const statuses = {};
  let bodyBytes = 0;
  let next = 0;
  let state = 123456789;
  const choose = () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return requests[(state >>> 0) % requests.length];
  };
  const before = await usageOf(cluster);
  const untilMs = performance.now() + seconds * 1_000;
  const beganMs = performance.now();
  await Promise.all(
    slots.map(async (slot, at) => {
      for (let turn = at; isOnce ? next < requests.length : performance.now() < untilMs; turn++) {
        const sentMs = performance.now();
        const { status, bytes } = await slot[turn % slot.length].ask(isOnce ? requests[next++] : choose());
        latencies.push(performance.now() - sentMs);
        statuses[status] = (statuses[status] ?? 0) + 1;
        bodyBytes += bytes;
      }
    }),
  );
  const elapsedS = (performance.now() - beganMs) / 1_000;
  const after = await usageOf(cluster);
  for (const slot of slots) for (const connection of slot) connection.close();
  latencies.sort((a, b) => a - b);
  const count = latencies.length;
  const idleS = (after.atMs - before.atMs) / 1_000;
  const each = (figure) => (after[figure] - before[figure] - (cluster.idle?.[figure] ?? 0) * idleS) / count;
  return {
    statuses,
    bodyBytes,
    perSecond: count / elapsedS,
    p50Ms: latencies[Math.floor(count * 0.5)],
    p99Ms: latencies[Math.min(count - 1, Math.floor(count * 0.99))],
    cpuUs: each('cpuUs'),
    messages: each('messages'),
    bytes: each('bytes'),
    perWrite: (after.messages - before.messages) / Math.max(1, after.frames - before.frames),
  };
}

/** A connection to each of the processes that clients ask. */
function openSlot(asked) {
  return Promise.all(asked.map(({ port }) => openAsking(port)));
}

function openAsking(port) {
  return new Promise((resolve, reject) => {
    let answered;
    const connection = openConnection(port, {
      onOpen: () =>
        resolve({
          ask: (request) =>
            new Promise((done, failed) => {
              const limit = setTimeout(() => failed(new Error(`no answer from port ${port}`)), ANSWER_LIMIT_MS);
              answered = (status, bytes) => {
                clearTimeout(limit);
                done({ status, bytes });
              };
              connection.send(request);
            }),
          close: () => connection.destroy(),
        }),
      onAnswer: (status, bytes) => answered(status, bytes),
      onClose: () => reject(new Error(`no connection to port ${port}`)),
    });
  });
}

function report(clusters, results) {
  const median = (values) => values.sort((a, b) => a - b)[Math.floor(values.length / 2)];
  const plans = [...new Set(results.map(({ workload, concurrency }) => `${workload} ${concurrency}`))];
  const head = ['requests/s', 'p50 ms', 'p99 ms', 'CPU us', 'messages', 'bytes', 'messages a write', 'not 200'];
  for (const plan of plans) {
    const [workload, concurrency] = plan.split(' ');
    console.log(
      `\n${workload}, ${concurrency} at a time\n\n| | ${head.join(' | ')} |\n| --- |${' ---: |'.repeat(head.length)}`,
    );
    for (const { name } of clusters) {
      const runs = results.filter(
        (run) => run.workload === workload && run.concurrency === Number(concurrency) && run.name === name,
      );
      const of = (figure, digits) => median(runs.map((run) => run[figure])).toFixed(digits);
      const wrong = runs.flatMap(({ statuses }) => Object.entries(statuses).filter(([status]) => status !== '200'));
      const isAlone = name === 'one';
      const cells = [
        of('perSecond', 0),
        of('p50Ms', 2),
        of('p99Ms', 2),
        of('cpuUs', 0),
        ...(isAlone ? ['', '', ''] : [of('messages', 1), of('bytes', 0), of('perWrite', 1)]),
        wrong.map(([status, times]) => `${times} x ${status}`).join(' '),
      ];
      console.log(`| ${SHAPES[name].title} | ${cells.join(' | ')} |`);
    }
  }
  console.log('\nIdle, a second: ');
  for (const { name, idle } of clusters) {
    const { cpuUs, messages, bytes } = idle;
    console.log(
      `${SHAPES[name].title}: ${cpuUs.toFixed(0)} us, ${messages.toFixed(1)} messages, ${bytes.toFixed(0)} bytes`,
    );
  }
  console.log(`\nNode ${process.version}, load ${loadavg()[0].toFixed(1)}`);
}

function readOptions() {
  const { values } = parseArgs({
    options: {
      only: { type: 'string', default: Object.keys(SHAPES).join() },
      workloads: { type: 'string', default: Object.keys(WORKLOADS).join() },
      concurrency: { type: 'string', default: '1,16' },
      seconds: { type: 'string', default: '1' },
      rounds: { type: 'string', default: '3' },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) return console.log(HELP);
  return {
    only: namesIn(values.only, SHAPES),
    workloads: namesIn(values.workloads, WORKLOADS),
    concurrency: values.concurrency.split(',').map(Number),
    seconds: Number(values.seconds),
    rounds: Number(values.rounds),
  };
}

await runBench(main);
