// Measures what Merkle repair costs (the Dynamo paper, section 4.7): n items on three nodes, one of them down while d
// items change, then compared with both others. It counts the bytes of hashes (16), of key digests (key, ballot of 18,
// digest of 16) and of records as they are stored; the overhead of a network is left out. A full copy is shown next to
// it.
// Run: npm run bench:merkle
import { randomBytes } from 'node:crypto';
import { TICKS_PER_MS } from '../dist/dynamo/ballot.js';
import { AntiEntropy } from '../dist/dynamo/healing/anti-entropy.js';
import { MerkleForest } from '../dist/dynamo/healing/merkle-forest.js';
import { collectionPrefix } from '../dist/dynamo/keyspace.js';
import { DEFAULT_NODE_LIMITS } from '../dist/dynamo/node-settings.js';
import { ItemRecord } from '../dist/dynamo/record.js';
import { assignPartitions } from '../dist/dynamo/ring.js';
import { RingView } from '../dist/dynamo/ring-view.js';
import { SystemClock } from '../dist/env/clock.js';
import { LocalTransport } from '../dist/env/local-transport.js';
import { silentLog } from '../dist/env/log.js';
import { MemoryStore } from '../dist/env/memory-store.js';
import { SeededRandom } from '../dist/env/random.js';

const PARTITIONS = 64;
const NODES = ['node-1', 'node-2', 'node-3'];
const SIZES = (process.env.ITEMS ?? '100000,1000000').split(',').map(Number);
const CHANGES = [0, 10, 1_000, 100_000];

const clock = new SystemClock();
const json = randomBytes(200).toString('hex');
const startMs = clock.now() - 1_000_000;

function record(name, version) {
  const ballot = { hlc: (startMs + version) * TICKS_PER_MS, coordinator: 1, boot: 1 };
  const item = { size: 400, json: Buffer.from(`{"v":{"S":"${json}"}}`) };
  return new ItemRecord({ ballot, item, partitionKey: name, lineage: [] }).stored;
}

function makeNodes(network) {
  const assignment = assignPartitions(PARTITIONS, NODES, 3);
  const configs = assignment.map((members, partition) => ({
    partition,
    epoch: 0,
    members: members.map((node) => ({ node, diskId: 1 })),
    attempt: 0,
  }));
  return NODES.map((self) => {
    const store = new MemoryStore();
    const limits = { ...DEFAULT_NODE_LIMITS, repairPauseMs: 0 };
    const forest = new MerkleForest({ store, clock, limits, partitions: PARTITIONS });
    const learn = (key, learned) => {
      store.put('items', key, learned.stored);
      forest.touch(key);
    };
    network.register(self, (_from, request, reply) => {
      if (request.kind !== 'learn') return forest.receive(request, self, reply);
      learn(request.key, request.record);
      reply({ kind: 'learned', from: self, counts: true });
    });
    const antiEntropy = new AntiEntropy({
      self,
      clock,
      random: new SeededRandom(1),
      log: silentLog,
      limits,
      intervalMs: 0,
      transport: network.transport(self),
      forest,
      view: new RingView(configs),
      isUp: () => true,
      learnHere: learn,
      epochOf: () => 0,
      isStopped: () => false,
    });
    return { self, store, forest, antiEntropy };
  });
}

const repair = (node) => new Promise((resolve) => node.antiEntropy.repairNow(resolve));

console.log('| items | changed | hashes | KB exchanged | records | ms | full copy, KB | full copy, ms |');
console.log('| ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |');
for (const items of SIZES) {
  const network = new LocalTransport();
  const nodes = makeNodes(network);
  const entries = Array.from({ length: items }, (_, i) => [
    collectionPrefix('table-01', `item-${i}`, PARTITIONS),
    `item-${i}`,
  ]);
  entries.sort(([a], [b]) => (a < b ? -1 : 1));
  for (const [key, name] of entries) {
    const stored = record(name, 0);
    for (const { store } of nodes) store.put('items', key, stored);
  }
  const back = nodes[2];
  const built = await repair(back);
  console.error(`${items} items: trees of three nodes built and compared in ${built.ms.toFixed(0)} ms`);

  const copyStart = performance.now();
  const copy = new MemoryStore();
  let copyBytes = 0;
  for (const [key] of entries) {
    const stored = nodes[0].store.get('items', key);
    copyBytes += key.length + stored.length;
    copy.put('items', key, Buffer.from(stored));
  }
  const copyMs = performance.now() - copyStart;

  const random = new SeededRandom(7);
  let version = 0;
  for (const changes of CHANGES) {
    version++;
    const changed = new Set();
    while (changed.size < Math.min(changes, items)) changed.add(Math.floor(random.next() * items));
    for (const at of changed) {
      const [key, name] = entries[at];
      const stored = record(name, version);
      for (const { store, forest } of nodes.slice(0, 2)) {
        store.put('items', key, stored);
        forest.touch(key);
      }
    }
    const report = await repair(back);
    const cells = [
      items,
      changed.size,
      report.hashesExchanged,
      (report.bytesExchanged / 1024).toFixed(1),
      report.recordsRepaired,
    ];
    console.log(
      `| ${[...cells, report.ms.toFixed(0), (copyBytes / 1024).toFixed(0), copyMs.toFixed(0)].join(' | ')} |`,
    );
  }
}
