import type { StorageNode } from '../src/dynamo/node.ts';

/**
 * Asks a node for the root of the Merkle tree of a partition as it is now, as another member would. `done` is not called if
 * the node has no vote in the partition.
 */
export function askMerkleRoot(node: StorageNode, partition: number, done: (root: Uint8Array) => void): void {
  const epoch = node.votingConfig(partition)?.epoch;
  if (epoch === undefined) return;
  node.receive(node.id, { kind: 'merkle-hashes', epoch, partition, level: 0, indexes: [0] }, (reply) => {
    if (reply.kind === 'merkle-hashes') done(reply.hashes);
  });
}
