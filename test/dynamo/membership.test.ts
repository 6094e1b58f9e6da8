import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { planMoves, RingError, withNode, withoutNode } from '../../src/dynamo/membership.ts';
import type { Member, PartitionConfig } from '../../src/dynamo/messages.ts';
import { assignPartitions } from '../../src/dynamo/ring.ts';

const member = (n: number, diskId = n): Member => ({ node: `node-${n}`, diskId });

function found(partitions: number, roster: readonly Member[], replication: number): PartitionConfig[] {
  const byNode = new Map(roster.map((each) => [each.node, each]));
  return assignPartitions(partitions, [...byNode.keys()], replication).map((list, partition) => ({
    partition,
    epoch: 0,
    members: list.map((node) => byNode.get(node)!),
    attempt: 0,
  }));
}

function apply(configs: readonly PartitionConfig[], moves: ReturnType<typeof planMoves>): PartitionConfig[] {
  return configs.map((config) => {
    const move = moves.find(({ partition }) => partition === config.partition);
    return move === undefined ? config : { ...config, epoch: config.epoch + 1, members: move.members };
  });
}

const ROSTER = [1, 2, 3, 4].map((n) => member(n));

describe('a plan of moves', () => {
  test('keeps N distinct members and even loads through any joins and leaves, and then has nothing to do', () => {
    const changes = fc.array(fc.nat(9), { maxLength: 6 });
    fc.assert(
      fc.property(fc.integer({ min: 12, max: 24 }), fc.integer({ min: 1, max: 3 }), changes, (partitions, n, steps) => {
        let roster: Member[] = ROSTER;
        let configs = found(partitions, roster, n);
        for (const step of steps) {
          const isThere = roster.some(({ node }) => node === member(step).node);
          if (!isThere) roster = withNode(roster, member(step));
          else if (roster.length > n) roster = withoutNode(roster, member(step).node, n);
          configs = apply(configs, planMoves(configs, roster, n));
          const loads = roster.map(
            ({ node }) => configs.filter(({ members }) => members.some((m) => m.node === node)).length,
          );
          expect(Math.max(...loads) - Math.min(...loads)).toBeLessThanOrEqual(1);
          for (const { members } of configs) expect(new Set(members.map(({ node }) => node)).size).toBe(n);
          expect(planMoves(configs, roster, n)).toEqual([]);
        }
      }),
      { numRuns: 100 },
    );
  });

  test('moves to a newcomer no more than its share', () => {
    const configs = found(64, ROSTER, 3);
    const moves = planMoves(configs, withNode(ROSTER, member(5)), 3);
    expect(moves.length).toBeLessThanOrEqual(Math.ceil((64 * 3) / 5));
    for (const { partition, members } of moves) {
      const before = configs[partition]!.members;
      expect(members.filter(({ node }) => !before.some((old) => old.node === node))).toEqual([member(5)]);
    }
  });

  test('takes a replaced disk for a change in place', () => {
    const configs = found(8, ROSTER, 3);
    const roster = ROSTER.map((each) => (each.node === 'node-2' ? member(2, 99) : each));
    const moves = planMoves(configs, roster, 3);
    expect(moves.map(({ partition }) => partition)).toEqual(
      configs.filter(({ members }) => members.some(({ node }) => node === 'node-2')).map(({ partition }) => partition),
    );
    for (const { members } of moves) expect(members).toContainEqual(member(2, 99));
  });
});

describe('a roster', () => {
  test('takes no node twice, loses none that is not there, and keeps N', () => {
    expect(() => withNode(ROSTER, member(2))).toThrow(new RingError('node-2 is in the ring already'));
    expect(() => withoutNode(ROSTER, 'node-9', 3)).toThrow(new RingError('there is no node-9 in the ring'));
    expect(() => withoutNode(ROSTER.slice(1), 'node-2', 3)).toThrow(RingError);
  });
});
