// The load generator, which runs in a process of its own. Each message starts one run, and gets one answer: see `run`.
// When the bench exits, for whatever reason, this process ends the servers that it knows and itself.
import { rmSync } from 'node:fs';
import { openConnection } from './connection.mjs';
import { cpuTimeUs } from './process-stats.mjs';
import { atRandom, eachOnce, inTurn, sourceOf } from './sources.mjs';

const DRAIN_LIMIT_MS = 15_000;
/** A server that answers next to nothing must not block the bench for ever. */
const RUN_LIMIT_MS = 120_000;
const RECONNECT_MS = 20;
const OPENED_TOGETHER = 16;
const servers = new Map(); // pid -> data directory

process.on('message', (message) => {
  if (message.kind === 'watch') return servers.set(message.pid, message.directory);
  if (message.kind === 'unwatch') return servers.delete(message.pid);
  run(message).then(
    (result) => process.send({ result }),
    (error) => process.send({ error: String(error.stack) }),
  );
});
process.on('disconnect', () => {
  for (const [pid, directory] of servers) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {} // it has ended by itself
    rmSync(directory, { recursive: true, force: true });
  }
  process.exit();
});
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => {}); // the bench decides

/**
 * @param order `workload`: one of those in `sources.mjs`, Mixed (half GetItem, half PutItem) or Fill (each key put
 *   once); `keyCount`: random keys below this, 1 is a hot key; `count`, `form`, `indexes`: see `plans.mjs`
 * @returns what the generator saw, and the CPU time that the server spent meanwhile, over exactly these requests
 */
async function run(order) {
  const { workload, pid, port, connections, seconds } = order;
  const of = (other) => sourceOf({ ...order, workload: other });
  const source = workload === 'Mixed' || workload === 'Fill' ? await of('PutItem') : await sourceOf(order);
  const pool = await openPool(port, connections);
  try {
    if (workload === 'Fill') return await measure(pool, pid, eachOnce(source));
    const isInTurn = workload === 'Scan' || workload === 'GetRecords' || order.form === 'apart';
    if (isInTurn) return await measure(pool, pid, until(seconds, inTurn(source)));
    const isBesideWrites = workload === 'TransactGetItems' && order.form === 'contended';
    if (isBesideWrites) {
      return await measure(pool, pid, until(seconds, atRandom(await of('TransactWriteItems'), source)));
    }
    if (workload === 'Mixed') return await measure(pool, pid, until(seconds, atRandom(await of('GetItem'), source)));
    if (workload !== 'DeleteItem') return await measure(pool, pid, until(seconds, atRandom(source)));
    // A delete is worth measuring only if there is an item: fill, delete all, fill again, and count the deletes.
    let total;
    while (total === undefined || total.elapsedMs < seconds * 1000) {
      await measure(pool, pid, eachOnce(await of('PutItem')));
      total = add(total, await measure(pool, pid, eachOnce(source)));
    }
    return total;
  } finally {
    pool.close();
  }
}

function until(seconds, next) {
  const deadline = performance.now() + seconds * 1000;
  return () => (performance.now() < deadline ? next() : undefined);
}

// ---- sending it

function openPool(port, size) {
  return new Promise((resolve, reject) => {
    const pool = { connections: new Set(), onAnswer: undefined, onOpen: undefined, close };
    let closed = false;
    const limit = setTimeout(() => reject(new Error(`no ${size} connections to port ${port} in 10 s`)), 10_000);

    function add() {
      if (!closed) openConnection(port, { onOpen: opened, onAnswer: answered, onClose: lost });
    }
    function opened(connection) {
      if (closed) return connection.destroy();
      pool.connections.add(connection);
      if (pool.onOpen !== undefined) return pool.onOpen(connection);
      if (pool.connections.size === size) {
        clearTimeout(limit);
        resolve(pool);
      }
    }
    function answered(status, bodyLength, connection) {
      pool.onAnswer?.(status, bodyLength, connection);
    }
    function lost(connection) {
      pool.connections.delete(connection);
      if (!closed) setTimeout(add, RECONNECT_MS);
    }
    function close() {
      closed = true;
      for (const connection of pool.connections) connection.destroy();
    }
    // Opened in groups: if the server's backlog overflows, a connection seems open here, but waits seconds for TCP's
    // retries.
    let left = size;
    const opening = setInterval(() => {
      for (let i = 0; i < OPENED_TOGETHER && left > 0; i++, left--) add();
      if (left === 0) clearInterval(opening);
    }, 2);
  });
}

/** Sends the requests of `next`, one at a time on each connection, and waits for all answers. */
function measure(pool, pid, next) {
  return new Promise((resolve) => {
    const latenciesMs = [];
    const statuses = {};
    const sentAt = new Map();
    let bodyBytes = 0;
    let items = 0;
    let ended = false;
    const ownCpu = process.cpuUsage();
    const cpuBefore = cpuTimeUs(pid);
    const start = performance.now();
    let limit = setTimeout(finish, RUN_LIMIT_MS);

    function feed(connection) {
      const request = ended ? undefined : next();
      if (request !== undefined) {
        sentAt.set(connection, performance.now());
        connection.send(request.bytes);
        items += request.items;
        return;
      }
      if (!ended) {
        ended = true;
        clearTimeout(limit);
        limit = setTimeout(finish, DRAIN_LIMIT_MS);
      }
      if (sentAt.size === 0) finish();
    }
    function finish() {
      clearTimeout(limit);
      pool.onAnswer = undefined;
      pool.onOpen = undefined;
      const elapsedMs = performance.now() - start;
      if (sentAt.size > 0) statuses.unanswered = sentAt.size;
      const { user, system } = process.cpuUsage(ownCpu);
      const serverCpuUs = cpuTimeUs(pid) - cpuBefore;
      resolve(summary({ elapsedMs, serverCpuUs, loadCpuUs: user + system, statuses, bodyBytes, items, latenciesMs }));
    }
    pool.onAnswer = (status, bodyLength, connection) => {
      latenciesMs.push(performance.now() - sentAt.get(connection));
      sentAt.delete(connection);
      statuses[status] = (statuses[status] ?? 0) + 1;
      if (status === 200) bodyBytes += bodyLength;
      if (connection.open) feed(connection);
      else if (ended && sentAt.size === 0) finish();
    };
    pool.onOpen = feed;
    for (const connection of [...pool.connections]) feed(connection);
  });
}

function summary({ latenciesMs, ...counts }) {
  const sorted = Float64Array.from(latenciesMs).sort();
  const quantile = (q) => sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))];
  return { ...counts, requests: sorted.length, p50Ms: quantile(0.5), p99Ms: quantile(0.99), maxMs: sorted.at(-1) };
}

/** Adds two passes. Takes the worse latency of both, because passes are few and alike. */
function add(a, b) {
  if (a === undefined) return b;
  const sum = (name) => a[name] + b[name];
  const worse = (name) => Math.max(a[name], b[name]);
  const statuses = { ...a.statuses };
  for (const [status, count] of Object.entries(b.statuses)) statuses[status] = (statuses[status] ?? 0) + count;
  return {
    elapsedMs: sum('elapsedMs'),
    serverCpuUs: sum('serverCpuUs'),
    loadCpuUs: sum('loadCpuUs'),
    requests: sum('requests'),
    bodyBytes: sum('bodyBytes'),
    items: sum('items'),
    statuses,
    p50Ms: worse('p50Ms'),
    p99Ms: worse('p99Ms'),
    maxMs: worse('maxMs'),
  };
}
