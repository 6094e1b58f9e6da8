import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { assignPartitions, type PreferenceList } from '../../src/dynamo/ring.ts';

const named = (count: number) => Array.from({ length: count }, (_, i) => `node-${i + 1}`);

function loads(assignment: readonly PreferenceList[], nodes: readonly string[]): number[] {
  return nodes.map((node) => assignment.filter((home) => home.includes(node)).length);
}

function moves(from: readonly PreferenceList[], to: readonly PreferenceList[]): number {
  return to.flatMap((home, partition) => home.filter((node) => !from[partition]!.includes(node))).length;
}

const spread = (values: readonly number[]) => Math.max(...values) - Math.min(...values);

const cluster = fc
  .record({
    nodes: fc.integer({ min: 1, max: 20 }),
    replication: fc.integer({ min: 1, max: 5 }),
    partitions: fc.integer({ min: 1, max: 200 }),
  })
  .filter(({ nodes, replication }) => replication <= nodes);

describe('assignment of partitions', () => {
  test('every partition has N distinct homes, and loads differ by one at most', () => {
    fc.assert(
      fc.property(cluster, ({ nodes, replication, partitions }) => {
        const assignment = assignPartitions(partitions, named(nodes), replication);
        expect(assignment).toHaveLength(partitions);
        for (const home of assignment) expect(new Set(home).size).toBe(replication);
        expect(spread(loads(assignment, named(nodes)))).toBeLessThanOrEqual(1);
      }),
    );
  });

  test('a joining node takes its share and nothing else moves', () => {
    fc.assert(
      fc.property(cluster, ({ nodes, replication, partitions }) => {
        const before = assignPartitions(partitions, named(nodes), replication);
        const after = assignPartitions(partitions, named(nodes + 1), replication, before);
        const share = loads(after, named(nodes + 1))[nodes]!;
        expect(moves(before, after)).toBe(share);
        expect(share).toBeLessThanOrEqual(Math.ceil((partitions * replication) / (nodes + 1)));
        expect(spread(loads(after, named(nodes + 1)))).toBeLessThanOrEqual(1);
      }),
    );
  });

  test('when a node leaves, what it held moves, and little else', () => {
    fc.assert(
      fc.property(
        cluster.filter(({ nodes, replication }) => nodes > replication),
        ({ nodes, replication, partitions }) => {
          const before = assignPartitions(partitions, named(nodes), replication);
          const remaining = named(nodes).slice(1);
          const after = assignPartitions(partitions, remaining, replication, before);
          const held = loads(before, ['node-1'])[0]!;
          expect(moves(before, after)).toBeGreaterThanOrEqual(held);
          // That no node may hold a partition twice can force a swap to keep the loads even.
          expect(moves(before, after)).toBeLessThanOrEqual(held + 2);
          expect(spread(loads(after, remaining))).toBeLessThanOrEqual(1);
        },
      ),
    );
  });

  test('the leading places are spread over the nodes', () => {
    for (const [nodes, replication, partitions] of [
      [3, 3, 64],
      [5, 3, 64],
      [7, 3, 256],
      [30, 3, 256],
    ] as const) {
      const assignment = assignPartitions(partitions, named(nodes), replication);
      const leads = named(nodes).map((node) => assignment.filter(([lead]) => lead === node).length);
      expect(spread(leads), `${nodes} nodes`).toBeLessThanOrEqual(2);
    }
  });

  test('an unchanged cluster keeps its assignment', () => {
    const before = assignPartitions(64, named(5), 3);
    expect(assignPartitions(64, named(5), 3, before)).toEqual(before);
  });

  test('more replicas than nodes are refused', () => {
    expect(() => assignPartitions(64, named(2), 3)).toThrow(RangeError);
  });
});
