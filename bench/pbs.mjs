// Measures how stale `dynamo` mode is, against PBS (Bailis et al., VLDB 2012): the real coordinators and replicas on
// virtual time, each leg of a message drawn from that paper's models of production latencies. N=3. The coordinator is
// no home replica, since all legs are remote in that paper's WARS model. Read repair is off, and hints, gossip and
// Merkle repair do not run, since WARS has none. For each pair of a write and a read, `wars.mjs` computes from the same
// legs when a read sees the write; the bench fails if the code disagrees on any read.
// Run: npm run bench:pbs
import { collectionPrefix } from '../dist/dynamo/keyspace.js';
import { StorageNode } from '../dist/dynamo/node.js';
import { DEFAULT_NODE_LIMITS } from '../dist/dynamo/node-settings.js';
import { SOUND_RULES } from '../dist/dynamo/rules.js';
import { silentLog } from '../dist/env/log.js';
import { MemoryStore } from '../dist/env/memory-store.js';
import { SeededRandom } from '../dist/env/random.js';
import { drawLegs, firstLuckyOffset, freshFromMs, latencyModels, quantile } from './wars.mjs';

const TRIALS = Number(process.env.TRIALS ?? 200_000);
/** Draws of the model alone, which are cheap. */
const DRAWS = 2_000_000;
/** The draws behind the published table: reads and writes for each offset. */
const PUBLISHED_DRAWS = 50_000;
const SWEEPS = 200;
const SHARE = 0.999;
const NEVER_MS = 1e12;
const HOMES = ['node-1', 'node-2', 'node-3'];
const COORDINATOR = 'node-4';
const ITEM = { size: 1, json: Buffer.from('{}') };
/** Reads begin at these multiples of the model's time for 99.9 %. */
const AROUND = [0.5, 0.7, 0.8, 0.9, 0.95, 1, 1.05, 1.1, 1.2, 1.4];
const random = new SeededRandom(2012);

/** Virtual time: a heap of events. */
class Time {
  nowMs = 0;
  #heap = [];
  #count = 0;

  after(delayMs, run) {
    const heap = this.#heap;
    const event = { atMs: this.nowMs + delayMs, order: this.#count++, run };
    let i = heap.push(event) - 1;
    for (; i > 0; ) {
      const parent = (i - 1) >> 1;
      if (!isBefore(event, heap[parent])) break;
      heap[i] = heap[parent];
      i = parent;
    }
    heap[i] = event;
  }

  /** Runs the next event. */
  step() {
    const heap = this.#heap;
    const [first] = heap;
    const last = heap.pop();
    for (let i = 0; heap.length > 0; ) {
      let child = 2 * i + 1;
      if (child + 1 < heap.length && isBefore(heap[child + 1], heap[child])) child++;
      if (child >= heap.length || !isBefore(heap[child], last)) {
        heap[i] = last;
        break;
      }
      heap[i] = heap[child];
      i = child;
    }
    this.nowMs = first.atMs;
    first.run();
  }
}

function isBefore(a, b) {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order);
}

/**
 * Four nodes, of which the last coordinates and holds nothing.
 * @param legsNow returns the legs of the current trial, by home
 */
function openCoordinator(time, legsNow, readQuorum, writeQuorum) {
  const members = HOMES.map((node, i) => ({ node, diskId: i + 1 }));
  const receivers = new Map();
  // No result here depends on a time-out.
  const clock = { now: () => 1e9 + time.nowMs, elapsedMs: () => time.nowMs, after: () => undefined, cancel: () => {} };
  const transport = {
    send: (to, request, onReply) => {
      const { write, ack, read, answer } = legsNow()[HOMES.indexOf(to)];
      const [there, back] = request.kind === 'learn' ? [write, ack] : [read, answer];
      time.after(there, () => {
        receivers.get(to)(COORDINATOR, request, (reply) => time.after(back, () => onReply(reply)));
      });
    },
  };
  let coordinator;
  for (const [i, id] of [...HOMES, COORDINATOR].entries()) {
    const settings = {
      id,
      diskId: i + 1,
      writeQuorum,
      readQuorum,
      readFrom: 'first',
      readRepair: false,
      antiEntropyIntervalMs: 0,
      ring: [{ partition: 0, epoch: 0, attempt: 0, members }],
      isBootstrap: true,
      limits: { ...DEFAULT_NODE_LIMITS, opLifeMs: NEVER_MS, suspectAfterMs: NEVER_MS },
      rules: SOUND_RULES,
    };
    const env = { clock, random: new SeededRandom(i), log: silentLog, store: new MemoryStore() };
    StorageNode.open(settings, env, transport, (node) => {
      receivers.set(id, node.receive);
      coordinator = node;
    });
  }
  return coordinator;
}

/** Writes, and reads at each offset after the answer. @returns the share of reads that see the write, by offset */
function measure(model, readQuorum, writeQuorum, offsetsMs) {
  const time = new Time();
  const fresh = offsetsMs.map(() => 0);
  let legs;
  let node;
  for (let trial = 0; trial < TRIALS; trial++) {
    // The ring is replaced from time to time, because old keys only fill memory.
    if (trial % 500 === 0) node = openCoordinator(time, () => legs, readQuorum, writeQuorum);
    legs = drawLegs(model);
    const expectedMs = freshFromMs(legs, readQuorum, writeQuorum);
    const name = `key-${trial}`;
    const key = collectionPrefix('table-01', name, 1);
    let unanswered = offsetsMs.length;
    const read = (i) => {
      node.coordinate({ kind: 'coordinate-read', key, from: 'committed', consistency: 'dynamo' }, ({ kind }) => {
        unanswered--;
        const isFresh = kind === 'found';
        if (isFresh !== offsetsMs[i] >= expectedMs) throw new Error(`trial ${trial} is not as WARS has it: ${kind}`);
        if (isFresh) fresh[i]++;
      });
    };
    const mutation = { kind: 'put', item: ITEM };
    const options = { consistency: 'dynamo', wantsOld: false };
    node.coordinate({ kind: 'coordinate-write', key, partitionKey: name, mutation, ...options }, ({ kind }) => {
      if (kind !== 'applied') throw new Error(`trial ${trial} was not written: ${kind}`);
      for (const [i, offsetMs] of offsetsMs.entries()) time.after(offsetMs, () => read(i));
    });
    // Messages that are then still on their way to a replica arrive in a later trial.
    while (unanswered > 0) time.step();
  }
  return fresh.map((count) => count / TRIALS);
}

/** The time at which the share is reached, interpolated between two offsets. With few trials it may not be reached. */
function crossing(shares, offsetsMs) {
  const at = shares.findIndex((share) => share >= SHARE);
  if (at < 0) return Number.POSITIVE_INFINITY;
  if (at === 0) return offsetsMs[0];
  const part = (SHARE - shares[at - 1]) / (shares[at] - shares[at - 1]);
  return offsetsMs[at - 1] + part * (offsetsMs[at] - offsetsMs[at - 1]);
}

function drawModel(model, readQuorum, writeQuorum) {
  return Float64Array.from({ length: DRAWS }, () => freshFromMs(drawLegs(model), readQuorum, writeQuorum)).sort();
}

/** The results of the published procedure: the median, and the range of nine in ten. */
function sweep(drawn, stepMs) {
  const found = Array.from({ length: SWEEPS }, () => firstLuckyOffset(drawn, SHARE, PUBLISHED_DRAWS, stepMs, random));
  found.sort((a, b) => a - b);
  return [0.5, 0.05, 0.95].map((share) => quantile(found, share));
}

const show = (ms) =>
  ms === Number.POSITIVE_INFINITY ? 'later' : ms < 100 ? ms.toFixed(ms < 10 ? 2 : 1) : ms.toFixed(0);

console.log(
  '| latencies | R, W | measured, ms | model, ms | the way it was published, ms | published, ms | fresh at once |',
);
console.log('| --- | --- | ---: | ---: | ---: | ---: | ---: |');
for (const [name, model] of Object.entries(latencyModels(random))) {
  for (const [readQuorum, writeQuorum] of [
    [1, 1],
    [1, 2],
    [2, 1],
  ]) {
    const drawn = drawModel(model, readQuorum, writeQuorum);
    const modelMs = Math.max(0, quantile(drawn, SHARE));
    const offsetsMs = [0, ...(modelMs > 0 ? AROUND.map((factor) => factor * modelMs) : [])];
    const shares = measure(model, readQuorum, writeQuorum, offsetsMs);
    const [middle, low, high] = sweep(drawn, model.stepMs);
    const cells = [
      name,
      `${readQuorum}, ${writeQuorum}`,
      show(crossing(shares, offsetsMs)),
      show(modelMs),
      `${show(middle)} (${show(low)} to ${show(high)})`,
      show(model.published[`${readQuorum},${writeQuorum}`]),
      `${(shares[0] * 100).toFixed(1)} %`,
    ];
    console.log(`| ${cells.join(' | ')} |`);
  }
}
