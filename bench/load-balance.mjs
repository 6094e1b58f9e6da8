// Measures how evenly the ring distributes its partitions, and how many replicas a join moves (the Dynamo paper,
// section 6.2): nodes join one at a time, from 3 to 30; N=3. Balance is the paper's measure, mean load over maximum
// load, 1 at best. It is given for replicas, for keys under SHA-256, for requests when some keys are far more popular
// than others, and for the leading places, which coordinate. The paper names no distribution of popularity; here it is
// Zipf's.
// Run: npm run bench:load-balance

import { planMoves } from '../dist/dynamo/epochs/rebalancer.js';
import { collectionPrefix, partitionOf } from '../dist/dynamo/keyspace.js';
import { assignPartitions } from '../dist/dynamo/ring.js';

const KEYS = 100_000;
/** As in YCSB: the most popular of 100,000 keys then gets a thirteenth of all requests. */
const ZIPF_EXPONENT = 0.99;
const REPLICATION = 3;
const [FIRST, LAST] = [3, 30];
const SHOWN = new Set([3, 4, 5, 8, 10, 15, 20, 25, 30]);

const rows = [];
const worstJoins = [];
for (const partitions of [64, 256, 1024]) {
  const keys = weights(partitions, () => 1);
  const requests = weights(partitions, (rank) => 1 / rank ** ZIPF_EXPONENT);
  const even = new Array(partitions).fill(1);
  let previous;
  let worst = { ratio: 0 };
  for (let count = FIRST; count <= LAST; count++) {
    const nodes = Array.from({ length: count }, (_, i) => `node-${i + 1}`);
    const assignment = previous ? join(previous, nodes) : assignPartitions(partitions, nodes, REPLICATION);
    const share = previous && movedShare(previous, assignment);
    if (share !== undefined && share * count > worst.ratio) worst = { ratio: share * count, count };
    if (SHOWN.has(count)) {
      rows.push([
        partitions,
        count,
        balance(assignment, nodes, even).toFixed(3),
        balance(assignment, nodes, keys).toFixed(3),
        balance(assignment, nodes, requests).toFixed(3),
        balance(leadsOf(assignment), nodes, even).toFixed(3),
        share === undefined ? '-' : share.toFixed(4),
        share === undefined ? '-' : (1 / count).toFixed(4),
      ]);
    }
    previous = assignment;
  }
  worstJoins.push({ partitions, ...worst });
}

console.log('| Q | nodes | replicas | keys | skewed requests | leads | moved by the join | minimum 1/S |');
console.log('| ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |');
for (const row of rows) console.log(`| ${row.join(' | ')} |`);
for (const { partitions, ratio, count } of worstJoins) {
  console.log(
    `\nQ=${partitions}: of all ${LAST - FIRST} joins, that of node ${count} moved most: ${ratio.toFixed(3)} x 1/S`,
  );
}

/** The ring after the last of `nodes` has joined, by the moves that a cluster would make. */
function join(previous, nodes) {
  const memberOf = (node) => ({ node, diskId: 1 });
  const configs = previous.map((list, partition) => ({ partition, epoch: 0, attempt: 0, members: list.map(memberOf) }));
  const joined = [...previous];
  for (const { partition, members } of planMoves(configs, nodes.map(memberOf), REPLICATION)) {
    joined[partition] = members.map(({ node }) => node);
  }
  return joined;
}

/** The load of each partition. The key of rank i has the weight `weightOf(i)`. */
function weights(partitions, weightOf) {
  const loads = new Array(partitions).fill(0);
  for (let rank = 1; rank <= KEYS; rank++) {
    loads[partitionOf(collectionPrefix('table-01', `user-${rank}`, partitions))] += weightOf(rank);
  }
  return loads;
}

/** Mean load over maximum load. A partition loads all the nodes in its list. */
function balance(lists, nodes, loadOf) {
  const loads = new Map(nodes.map((node) => [node, 0]));
  for (const [partition, list] of lists.entries()) {
    for (const node of list) loads.set(node, loads.get(node) + loadOf[partition]);
  }
  const values = [...loads.values()];
  return values.reduce((sum, load) => sum + load, 0) / values.length / Math.max(...values);
}

function leadsOf(assignment) {
  return assignment.map(([lead]) => [lead]);
}

/** The share of all replicas that have moved to another node. */
function movedShare(previous, assignment) {
  const moved = assignment.map((list, i) => list.filter((node) => !previous[i].includes(node)).length);
  return moved.reduce((sum, count) => sum + count, 0) / (assignment.length * REPLICATION);
}
