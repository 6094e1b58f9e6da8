// How stale `dynamo` mode is (PBS: Bailis et al., VLDB 2012): the real coordinators and replicas on virtual time, each leg of
// a message (W: write, A: its answer, R: read, S: its answer) drawn from that paper's models of production latencies. N=3;
// the coordinator is no home replica, as in the paper's WARS model, where all legs are remote; read repair, hints and
// gossip do not run. Printed: how long after a write was answered 99.9 % of the reads then begun see it. `model` is the
// same by drawing the legs alone, without our code. Run: npm run bench:pbs
import { collectionPrefix } from '../dist/dynamo/keyspace.js';
import { StorageNode } from '../dist/dynamo/node.js';
import { SOUND_RULES } from '../dist/dynamo/rules.js';
import { DEFAULT_NODE_LIMITS } from '../dist/dynamo/settings.js';
import { silentLog } from '../dist/env/log.js';
import { MemoryStore } from '../dist/env/memory-store.js';
import { SeededRandom } from '../dist/env/random.js';

const TRIALS = Number(process.env.TRIALS ?? 20_000);
const SHARE = 0.999;
const NEVER_MS = 1e12;
const random = new SeededRandom(2012);

const pareto = (xm, alpha) => xm / (1 - random.next()) ** (1 / alpha);
const exponential = (lambda) => -Math.log(1 - random.next()) / lambda;
const mixed = (share, xm, alpha, lambda) => () => (random.next() < share ? pareto(xm, alpha) : exponential(lambda));

const SSD = mixed(0.9122, 0.235, 10, 1.66);
const MODELS = {
  'LNKD-SSD': { write: SSD, other: SSD, aroundMs: 2, published: 1.85 },
  'LNKD-DISK': { write: mixed(0.38, 1.05, 1.51, 0.183), other: SSD, aroundMs: 45, published: 45.5 },
  YMMR: {
    write: mixed(0.939, 3, 3.35, 0.0028),
    other: mixed(0.982, 1.5, 3.8, 0.0217),
    aroundMs: 1_300,
    published: 1_364,
  },
};

/** Virtual time: a heap of events. */
class Time {
  nowMs = 0;
  #heap = [];
  #count = 0;

  at(atMs, run) {
    const heap = this.#heap;
    heap.push({ atMs, order: this.#count++, run });
    for (let i = heap.length - 1; i > 0; ) {
      const parent = (i - 1) >> 1;
      if (!before(heap[i], heap[parent])) break;
      [heap[i], heap[parent]] = [heap[parent], heap[i]];
      i = parent;
    }
  }

  /** Runs what is due before `untilMs`. */
  run(untilMs) {
    const heap = this.#heap;
    while (heap.length > 0 && heap[0].atMs <= untilMs) {
      const [first] = heap;
      const last = heap.pop();
      if (heap.length > 0) {
        heap[0] = last;
        for (let i = 0; ; ) {
          let child = 2 * i + 1;
          if (child >= heap.length) break;
          if (child + 1 < heap.length && before(heap[child + 1], heap[child])) child++;
          if (!before(heap[child], heap[i])) break;
          [heap[i], heap[child]] = [heap[child], heap[i]];
          i = child;
        }
      }
      this.nowMs = first.atMs;
      first.run();
    }
    this.nowMs = untilMs;
  }
}

const before = (a, b) => a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order);

/** Four nodes, of which the last coordinates and holds nothing. */
function makeRing(time, model, readQuorum, writeQuorum) {
  const homes = ['node-1', 'node-2', 'node-3'];
  const ring = [{ partition: 0, epoch: 0, attempt: 0, members: homes.map((node, i) => ({ node, diskId: i + 1 })) }];
  const limits = {
    ...DEFAULT_NODE_LIMITS,
    opLifeMs: NEVER_MS,
    phaseTimeoutMs: NEVER_MS,
    suspectAfterMs: NEVER_MS,
    spreadingKept: NEVER_MS,
  };
  const receivers = new Map();
  const clock = {
    now: () => 1e9 + time.nowMs,
    elapsedMs: () => time.nowMs,
    // Nothing here lives by its time-outs.
    after: () => undefined,
    cancel: () => {},
  };
  const transport = {
    send: (to, request, onReply) => {
      const there = request.kind === 'learn' ? model.write() : model.other();
      time.at(time.nowMs + there, () => {
        receivers.get(to)('node-4', request, (reply) => time.at(time.nowMs + model.other(), () => onReply(reply)));
      });
    },
  };
  let coordinator;
  for (const [i, id] of [...homes, 'node-4'].entries()) {
    const settings = {
      id,
      diskId: i + 1,
      writeQuorum,
      readQuorum,
      readFrom: 'first',
      readRepair: false,
      antiEntropyIntervalMs: 0,
      ring,
      isBootstrap: true,
      limits,
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

/** The share of reads begun `afterMs` after the answer of a write that see it. */
function freshShare(model, readQuorum, writeQuorum, offsetsMs) {
  const time = new Time();
  const fresh = offsetsMs.map(() => 0);
  const item = { size: 1, json: Buffer.from('{}') };
  let node;
  for (let trial = 0; trial < TRIALS; trial++) {
    // A ring of its own now and then: what has arrived everywhere only fills memory.
    if (trial % 500 === 0) node = makeRing(time, model, readQuorum, writeQuorum);
    const name = `key-${trial}`;
    const key = collectionPrefix('table-01', name, 1);
    node.write(key, name, { kind: 'put', item }, { consistency: 'dynamo', wantsOld: false }, () => {
      for (const [i, offsetMs] of offsetsMs.entries()) {
        time.at(time.nowMs + offsetMs, () => {
          node.read(key, false, 'dynamo', (outcome) => {
            if (outcome.kind === 'found') fresh[i]++;
          });
        });
      }
    });
    time.run(time.nowMs + model.aroundMs * 20);
  }
  time.run(time.nowMs + 1e6);
  return fresh.map((count) => count / TRIALS);
}

/** The same from the legs alone: the WARS model. */
function modelShare(model, readQuorum, writeQuorum, offsetsMs) {
  const fresh = offsetsMs.map(() => 0);
  for (let trial = 0; trial < TRIALS; trial++) {
    const writes = Array.from({ length: 3 }, () => model.write());
    const answered = writes.map((leg) => leg + model.other()).sort((a, b) => a - b)[writeQuorum - 1];
    for (const [i, offsetMs] of offsetsMs.entries()) {
      const reads = writes.map((write) => {
        const there = model.other();
        return { isFresh: answered + offsetMs + there >= write, answeredMs: there + model.other() };
      });
      reads.sort((a, b) => a.answeredMs - b.answeredMs);
      if (reads.slice(0, readQuorum).some(({ isFresh }) => isFresh)) fresh[i]++;
    }
  }
  return fresh.map((count) => count / TRIALS);
}

/** The first offset from which on the share is reached, by a straight line between two. */
function timeOf(shares, offsetsMs) {
  let at = shares.length - 1;
  while (at > 0 && shares[at - 1] >= SHARE) at--;
  if (shares[at] < SHARE) return `> ${offsetsMs.at(-1).toFixed(1)}`;
  if (at === 0) return offsetsMs[0].toFixed(2);
  const part = (SHARE - shares[at - 1]) / (shares[at] - shares[at - 1]);
  return (offsetsMs[at - 1] + part * (offsetsMs[at] - offsetsMs[at - 1])).toFixed(2);
}

console.log(`| latencies | R | W | 99.9 % see the write after, ms | model, ms | published, ms | fresh at once |`);
console.log('| --- | ---: | ---: | ---: | ---: | ---: | ---: |');
for (const [name, model] of Object.entries(MODELS)) {
  for (const [readQuorum, writeQuorum] of [
    [1, 1],
    [1, 2],
    [2, 1],
  ]) {
    const offsetsMs = Array.from({ length: 30 }, (_, i) => (i / 18) * model.aroundMs);
    const measured = freshShare(model, readQuorum, writeQuorum, offsetsMs);
    const drawn = modelShare(model, readQuorum, writeQuorum, offsetsMs);
    const published = readQuorum === 1 && writeQuorum === 1 ? model.published : '';
    const cells = [
      name,
      readQuorum,
      writeQuorum,
      timeOf(measured, offsetsMs),
      timeOf(drawn, offsetsMs),
      published,
      `${(measured[0] * 100).toFixed(1)} %`,
    ];
    console.log(`| ${cells.join(' | ')} |`);
  }
}
