import { describe, expect, test } from 'vitest';
import { PartitionVotes } from '../../src/dynamo/epochs/partition-votes.ts';
import { partitionPrefix } from '../../src/dynamo/keyspace.ts';
import type { PartitionConfig } from '../../src/dynamo/messages.ts';
import { MemoryStore } from '../../src/env/memory-store.ts';

const SELF = { node: 'a', diskId: 1 };
const config = (epoch: number, nodes = 'abc'): PartitionConfig => ({
  partition: 3,
  epoch,
  members: [...nodes].map((node, i) => ({ node, diskId: i + 1 })),
  attempt: epoch,
});

describe('the votes of a disk', () => {
  test('that was written before rows of partitions left behind were kept are read', () => {
    const store = new MemoryStore();
    // As commit 8122898 wrote it.
    const row = { config: config(4), isSealed: true };
    store.put('meta', `vote/${partitionPrefix(3)}`, Buffer.from(JSON.stringify(row)));
    const votes = new PartitionVotes(SELF, store);
    expect([votes.votingConfig(3), votes.isSealed(3), votes.known]).toEqual([config(4), true, [config(4)]]);
  });

  test('remember what was left, until a later epoch begins', () => {
    const store = new MemoryStore();
    const votes = new PartitionVotes(SELF, store);
    votes.begin(config(1));
    votes.open(3);
    votes.leave(config(2, 'xyz'));
    const again = new PartitionVotes(SELF, store);
    expect([again.votingConfig(3), again.known]).toEqual([undefined, [config(2, 'xyz')]]);
    again.begin(config(3));
    expect(new PartitionVotes(SELF, store).known).toEqual([config(3)]);
  });

  test('keep the newest of what they were told without a vote', () => {
    const votes = new PartitionVotes(SELF, new MemoryStore());
    votes.leave(config(5, 'xyz'));
    votes.leave(config(4, 'uvw'));
    expect(votes.known).toEqual([config(5, 'xyz')]);
  });
});
