// How evenly the ring deals its partitions, and how many replicas a join moves (the Dynamo paper, section 6.2): nodes come
// one at a time, from 3 to 30. Load is keys under SHA-256; balance is mean load over maximum load, 1 at best. N=3.
// Run: npm run bench:load-balance
import { collectionPrefix, partitionOf } from '../dist/dynamo/keyspace.js';
import { assignPartitions } from '../dist/dynamo/ring.js';

const KEYS = 100_000;
const SHOWN = new Set([3, 4, 5, 8, 10, 15, 20, 25, 30]);

console.log('| Q | nodes | balance, partitions | balance, keys | balance, leads | moved by the join | minimum 1/S |');
console.log('| ---: | ---: | ---: | ---: | ---: | ---: | ---: |');
for (const partitions of [64, 256, 1024]) {
  const keys = new Array(partitions).fill(0);
  for (let i = 0; i < KEYS; i++) keys[partitionOf(collectionPrefix('table-01', `user-${i}`, partitions))]++;
  let previous;
  for (let count = 3; count <= 30; count++) {
    const nodes = Array.from({ length: count }, (_, i) => `node-${i + 1}`);
    const assignment = assignPartitions(partitions, nodes, 3, previous);
    const load = (weigh) => {
      const loads = nodes.map((node) => assignment.reduce((sum, list, p) => sum + weigh(list, p, node), 0));
      return loads.reduce((a, b) => a + b) / count / Math.max(...loads);
    };
    const balance = [
      load((list, _, node) => Number(list.includes(node))),
      load((list, p, node) => (list.includes(node) ? keys[p] : 0)),
      load((list, _, node) => Number(list[0] === node)),
    ];
    const moved = assignment.reduce(
      (sum, list, p) => sum + list.filter((node) => !(previous ?? assignment)[p].includes(node)).length,
      0,
    );
    if (SHOWN.has(count)) {
      const cells = [
        partitions,
        count,
        ...balance.map((b) => b.toFixed(3)),
        previous ? (moved / partitions / 3).toFixed(4) : '-',
        previous ? (1 / count).toFixed(4) : '-',
      ];
      console.log(`| ${cells.join(' | ')} |`);
    }
    previous = assignment;
  }
}
