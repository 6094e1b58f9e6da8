import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { RingError } from '../../src/dynamo/ring-error.ts';
import {
  firstGoal,
  type Goal,
  wantedMembers,
  withAdded,
  withMoved,
  withRemoved,
  withReplaced,
} from '../../src/peer/goal.ts';
import { peerNodeId } from '../../src/peer/node-name.ts';

const CLUSTER = {
  clusterId: 'x',
  partitions: 12,
  replication: 3,
  layout: 1,
  members: ['a', 'b', 'c', 'd'].map((name, i) => ({ name, diskId: i + 1 })),
};
const FIRST = firstGoal(CLUSTER);

const sharesOf = ({ wanted, roster }: Goal) =>
  roster.map(({ name }) => wanted.filter((names) => names.includes(name)).length);

test('the first goal wants what the founding has given', () => {
  expect(FIRST).toMatchObject({ version: 1, past: [], roster: CLUSTER.members });
  expect(sharesOf(FIRST)).toEqual([9, 9, 9, 9]);
  const [first] = wantedMembers(FIRST, 0, peerNodeId);
  expect(first).toEqual({ node: peerNodeId('a', 1), diskId: 1 });
});

describe('a node', () => {
  test('that is added gets its share, and no other change is wanted', () => {
    const goal = withAdded(FIRST, { name: 'e', diskId: 5 });
    expect(goal.version).toBe(2);
    expect(Math.max(...sharesOf(goal)) - Math.min(...sharesOf(goal))).toBeLessThanOrEqual(1);
    const kept = goal.wanted.filter((names, p) => FIRST.wanted[p]!.filter((name) => names.includes(name)).length >= 2);
    expect(kept.length).toBe(goal.wanted.length);
  });

  test('that is removed holds nothing more, and its disk never comes back', () => {
    const goal = withRemoved(FIRST, ['b'], 3);
    expect(goal.wanted.flat()).not.toContain('b');
    expect(goal.past).toEqual([2]);
    expect(() => withAdded(goal, { name: 'b', diskId: 2 })).toThrow(RingError);
    expect(withAdded(goal, { name: 'b', diskId: 7 }).roster.at(-1)).toEqual({ name: 'b', diskId: 7 });
  });

  test('whose disk is replaced holds the same partitions, with the other disk', () => {
    const goal = withReplaced(FIRST, 'b', 2, 9);
    expect(goal.wanted).toEqual(FIRST.wanted);
    expect(goal.past).toEqual([2]);
    const partition = goal.wanted.findIndex((names) => names.includes('b'));
    expect(wantedMembers(goal, partition, peerNodeId)).toContainEqual({ node: peerNodeId('b', 9), diskId: 9 });
  });
});

describe('a partition that an operator moves', () => {
  const [to, other] = [
    ['d', 'b', 'c'],
    ['a', 'b', 'c'],
  ];

  test('is wanted where he says, and nothing else is', () => {
    const partition = FIRST.wanted.findIndex((names) => !names.includes('d'));
    const goal = withMoved(FIRST, partition, to!);
    expect(goal.version).toBe(2);
    expect(goal.wanted.filter((names, at) => names !== FIRST.wanted[at])).toEqual([to]);
    expect(goal.wanted[partition]).toEqual(to);
    expect(withMoved(goal, partition, other!).wanted[partition]).toEqual(other);
  });

  test('is not moved for another order of those that hold it', () => {
    for (const [partition, names] of FIRST.wanted.entries()) {
      expect(withMoved(FIRST, partition, [...names].reverse())).toBe(FIRST);
    }
  });

  test('is moved to as many different nodes of the roster as there are copies', () => {
    expect(() => withMoved(FIRST, 12, to!)).toThrow('there is no partition 12: they are 0 to 11');
    expect(() => withMoved(FIRST, 0, ['a', 'b', 'z'])).toThrow('there is no node z');
    expect(() => withMoved(FIRST, 0, ['a', 'b', 'b'])).toThrow('a node holds a partition once');
    expect(() => withMoved(FIRST, 0, ['a', 'b'])).toThrow('a partition is held by 3 nodes, and not by 2');
    expect(() => withMoved(FIRST, 0, ['a', 'b', 'c', 'd'])).toThrow('is held by 3 nodes, and not by 4');
  });

  test('is moved by whoever comes or goes only as far as the shares need it', () => {
    const moved = withMoved(FIRST, 0, FIRST.wanted[0]!.includes('d') ? other! : to!);
    const goal = withAdded(moved, { name: 'e', diskId: 5 });
    expect(goal.wanted[0]!.filter((name) => moved.wanted[0]!.includes(name)).length).toBeGreaterThanOrEqual(2);
  });
});

test('a change that makes no sense is refused with a line for people', () => {
  expect(() => withAdded(FIRST, { name: 'a', diskId: 9 })).toThrow('there is a node a already');
  expect(() => withAdded(FIRST, { name: 'e', diskId: 1 })).toThrow('that disk is in the ring already');
  expect(() => withRemoved(FIRST, ['z'], 3)).toThrow('there is no node z');
  expect(() => withRemoved(FIRST, ['a', 'b'], 3)).toThrow('a, b cannot be removed: 2 nodes would be left for 3 copies');
  // Asked for twice, with another disk each time: the second would take out the first.
  expect(() => withReplaced(withReplaced(FIRST, 'b', 2, 9), 'b', 2, 10)).toThrow('b has another disk by now');
  expect(() => withReplaced(withReplaced(FIRST, 'b', 2, 9), 'b', 9, 2)).toThrow('has left the ring before');
});

test('whatever is added and removed, all nodes hold about as much, and each partition has N of them', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(9), { maxLength: 12 }), (changes) => {
      let goal = FIRST;
      let lastDisk = 100;
      for (const change of changes) {
        const name = `n${change}`;
        const isThere = goal.roster.some((node) => node.name === name);
        goal = isThere ? withRemoved(goal, [name], 3) : withAdded(goal, { name, diskId: ++lastDisk });
      }
      for (const names of goal.wanted) expect(new Set(names).size).toBe(3);
      expect(Math.max(...sharesOf(goal)) - Math.min(...sharesOf(goal))).toBeLessThanOrEqual(1);
      expect(goal.version).toBe(1 + changes.length);
    }),
  );
});
