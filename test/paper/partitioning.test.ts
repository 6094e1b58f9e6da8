/*
 * The Dynamo paper (SOSP 2007), sections 4.2 and 4.3, claim by claim.
 *
 * | of the paper                                      | here                                                          |
 * | ------------------------------------------------- | ------------------------------------------------------------- |
 * | nodes at random positions on the ring             | Q equal partitions dealt out: strategy 3 of its section 6.2    |
 * | several tokens a node ("virtual nodes")           | Q/S partitions a node; tokens are not drawn                    |
 * | more tokens for a bigger host                     | not implemented: all nodes count as equal                      |
 * | MD5, 128 bits                                     | SHA-256, of which the first 32 bits are the position           |
 * | the N successors clockwise                        | the members of the partition; successors only stand in         |
 */
import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { planMoves, withNode, withoutNode } from '../../src/dynamo/epochs/rebalancer.ts';
import { collectionPrefix, partitionOf } from '../../src/dynamo/keyspace.ts';
import type { PartitionConfig } from '../../src/dynamo/messages.ts';
import { assignPartitions } from '../../src/dynamo/ring.ts';
import { RingView } from '../../src/dynamo/ring-view.ts';
import { NAMES, PaperRing } from './paper-ring.ts';

const TABLE = 'table-01';
const memberOf = (node: string) => ({ node, diskId: 1 });
const named = (count: number) => Array.from({ length: count }, (_, i) => `node-${i + 1}`);

function configs(lists: readonly (readonly string[])[]): PartitionConfig[] {
  return lists.map((list, partition) => ({ partition, epoch: 0, attempt: 0, members: list.map(memberOf) }));
}

const founded = (partitions: number, nodes: number) => configs(assignPartitions(partitions, named(nodes), 3));

function loads(ring: readonly PartitionConfig[], nodes: readonly string[]): number[] {
  return nodes.map((node) => ring.filter(({ members }) => members.some((member) => member.node === node)).length);
}

const spread = (values: readonly number[]) => Math.max(...values) - Math.min(...values);

describe('4.2 partitioning', () => {
  test('a key is placed by the hash of the key alone', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary-ascii', minLength: 1 }), fc.integer({ min: 1, max: 1_024 }), (name, q) => {
        const position = createHash('sha256').update(name, 'latin1').digest().readUInt32BE(0);
        expect(partitionOf(collectionPrefix(TABLE, name, q))).toBe(Math.floor((position / 2 ** 32) * q));
      }),
    );
  });

  test('the ring is closed: behind the greatest position comes the least', () => {
    const view = new RingView(configs([['a'], ['b'], ['c']]));
    expect(view.preferenceList(2)).toEqual(['c', 'a', 'b']);
  });

  test('hashing spreads the keys evenly', () => {
    const counts = new Array<number>(16).fill(0);
    for (let i = 0; i < 32_000; i++) counts[partitionOf(collectionPrefix(TABLE, `user-${i}`, 16))]!++;
    // Five standard deviations.
    expect(Math.max(...counts.map((count) => Math.abs(count - 2_000)))).toBeLessThan(5 * Math.sqrt(2_000));
  });

  test('a node that comes changes only what it takes over: everything else stays where it was', () => {
    const before = founded(64, 7);
    const moves = planMoves(before, withNode(named(7).map(memberOf), memberOf('node-8')), 3);
    expect(moves.length).toBe(Math.floor((64 * 3) / 8));
    for (const { partition, members } of moves) {
      const old = before[partition]!.members.map(({ node }) => node);
      expect(members.map(({ node }) => node).filter((node) => !old.includes(node))).toEqual(['node-8']);
    }
  });

  test('a newcomer takes about the same from each of the others', () => {
    const nodes = named(7);
    const before = founded(64, 7);
    const moves = planMoves(before, withNode(nodes.map(memberOf), memberOf('node-8')), 3);
    const givenBy = nodes.map(
      (giver) =>
        moves.filter(({ partition, members }) => {
          const had = before[partition]!.members.some(({ node }) => node === giver);
          return had && !members.some(({ node }) => node === giver);
        }).length,
    );
    expect(Math.min(...givenBy)).toBeGreaterThan(0);
    expect(spread(givenBy)).toBeLessThanOrEqual(1);
  });

  test('what a node held that leaves is dispersed evenly over those that stay', () => {
    const before = founded(64, 8);
    const stay = named(8).slice(1);
    const moves = planMoves(before, withoutNode(named(8).map(memberOf), 'node-1', 3), 3);
    const after = before.map((config) => moves.find(({ partition }) => partition === config.partition) ?? config);
    const gains = loads(after as PartitionConfig[], stay).map((load, i) => load - loads(before, stay)[i]!);
    expect(gains.reduce((sum, gain) => sum + gain)).toBe(loads(before, ['node-1'])[0]);
    expect(spread(gains)).toBeLessThanOrEqual(1);
  });

  test('the work of a node that is down falls on many others, not on one neighbour', () => {
    const ring = founded(256, 8);
    for (const down of named(8)) {
      const led = ring.filter(({ members }) => members[0]!.node === down);
      const next = new Map<string, number>();
      for (const { members } of led) next.set(members[1]!.node, (next.get(members[1]!.node) ?? 0) + 1);
      expect(Math.max(...next.values()), down).toBeLessThan(led.length / 2);
    }
  });

  test('a node has many positions on the ring, and no chance makes one heavier than another', () => {
    for (const nodes of [3, 7, 12]) {
      const each = loads(founded(256, nodes), named(nodes));
      expect(Math.min(...each)).toBeGreaterThan(1);
      expect(spread(each)).toBeLessThanOrEqual(1);
    }
  });
});

describe('4.3 replication', () => {
  test.each([1, 2, 3])('each item is kept at N nodes, and N is configured: %i', (replication) => {
    const ring = new PaperRing({ nodes: 5, replication, writeQuorum: 1, readQuorum: 1 });
    for (const name of NAMES) ring.put('node-1', name, 'x');
    ring.run(100);
    for (const name of NAMES) {
      expect(ring.holdersOf(name)).toHaveLength(replication);
      expect(ring.holdersOf(name).sort()).toEqual(ring.homesOf(name).sort());
    }
  });

  test('the coordinator keeps the item itself and sends it to the N-1 others', () => {
    const ring = new PaperRing({ nodes: 5 });
    for (const name of NAMES) {
      const [coordinator, ...others] = ring.homesOf(name);
      const sent = ring.during(() => ring.put(coordinator!, name, 'x')).filter(({ isReply }) => !isReply);
      expect(sent.map(({ from, kind }) => `${from} ${kind}`)).toEqual(new Array(3).fill(`${coordinator} learn`));
      expect(sent.map(({ to }) => to).sort()).toEqual([coordinator, ...others].sort());
    }
  });

  test('every node can say which nodes are in the preference list of any key', () => {
    const ring = new PaperRing({ nodes: 6 });
    for (let partition = 0; partition < ring.partitions; partition++) {
      const lists = ring.ids.map((id) => ring.node(id).view.preferenceList(partition));
      for (const list of lists) expect(list).toEqual(lists[0]);
    }
  });

  test('the preference list has more than N nodes, all of them different hosts, the homes first', () => {
    const size = fc.record({ nodes: fc.integer({ min: 4, max: 12 }), partitions: fc.integer({ min: 12, max: 64 }) });
    fc.assert(
      fc.property(size, fc.integer({ min: 1, max: 3 }), ({ nodes, partitions }, replication) => {
        const lists = assignPartitions(partitions, named(nodes), replication);
        const view = new RingView(configs(lists));
        for (const [partition, homes] of lists.entries()) {
          const list = view.preferenceList(partition);
          expect(list.length).toBeGreaterThan(replication);
          expect(new Set(list).size).toBe(list.length);
          expect(list.slice(0, replication)).toEqual(homes);
        }
      }),
    );
  });
});
