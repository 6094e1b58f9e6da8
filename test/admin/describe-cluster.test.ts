import { expect, test } from 'vitest';
import { describeCluster } from '../../src/admin/describe-cluster.ts';
import { peerNodeId } from '../../src/peer/node-name.ts';
import type { NodeReport, RingExamination } from '../../src/peer/ring-examination.ts';

const SETTINGS = { replication: 3, writeQuorum: 2, readQuorum: 1 };
const [A, B, C, D] = ['a', 'b', 'c', 'd'].map((name, i) => peerNodeId(name, i + 1)) as [string, string, string, string];
/** Two partitions of three nodes, in these epochs. */
const EPOCHS = [4, 7];

const node = (id: string, more: Partial<NodeReport> = {}): NodeReport => ({
  id,
  state: 'up',
  votes: EPOCHS,
  hints: 0,
  suspects: [],
  release: undefined,
  ...more,
});

const ring = (nodes: readonly NodeReport[], more: Partial<RingExamination> = {}): RingExamination => ({
  nodes,
  partitions: EPOCHS.map((epoch, partition) => ({
    partition,
    epoch,
    attempt: epoch,
    members: [A, B, C].map((id, i) => ({ node: id, diskId: i + 1 })),
  })),
  moves: [],
  unknownGoal: undefined,
  level: undefined,
  notes: [],
  ...more,
});

test('a ring is healthy if all is as wanted, and all vote', () => {
  expect(describeCluster(ring([node(A), node(B), node(C)]), SETTINGS)).toMatchObject({
    healthy: true,
    problems: [],
    withoutMajority: [],
    nodes: [{ name: 'a', state: 'up', partitions: 2, leads: 2 }, { name: 'b' }, { name: 'c' }],
  });
});

test('not if a node that is up votes in an epoch before, or does not vote', () => {
  for (const votes of [[3, 7], [-1, 7], []]) {
    const view = describeCluster(ring([node(A), node(B), node(C, { votes })]), SETTINGS);
    expect(view).toMatchObject({ healthy: false, withoutMajority: [] });
    expect(view.partitions[0]).toMatchObject({ homes: [A, B, C], notVoting: [C] });
    expect(view.problems[0]).toMatch(/^partitions? 0(, 1)?: not all of its nodes that are up vote yet$/);
  }
});

test.each(['stopped', 'paused', 'silent'] as const)('not if a node is %s: it does not vote', (state) => {
  const one = describeCluster(ring([node(A), node(B), node(C, { state })]), SETTINGS);
  expect(one).toMatchObject({ healthy: false, withoutMajority: [], problems: [] });
  const two = describeCluster(ring([node(A), node(B, { state }), node(C, { state })]), SETTINGS);
  expect(two).toMatchObject({
    healthy: false,
    withoutMajority: [0, 1],
    problems: ['partitions 0, 1: no majority votes, nothing is served strictly'],
  });
});

test('not if a node is down that holds nothing, but shall', () => {
  expect(describeCluster(ring([node(A), node(B), node(C), node(D, { state: 'stopped' })]), SETTINGS).healthy).toBe(
    false,
  );
});

test('a node whose release does not tell its votes counts if it is up', () => {
  expect(describeCluster(ring([node(A), node(B), node(C, { votes: undefined })]), SETTINGS).healthy).toBe(true);
});

test('not while it is not known what is wanted', () => {
  const view = describeCluster(ring([node(A), node(B), node(C)], { unknownGoal: 'nobody can tell' }), SETTINGS);
  expect(view).toMatchObject({ healthy: false, problems: ['nobody can tell'] });
});

test('not while partitions are to be moved: where to, by whom, and why not yet', () => {
  const moves = [
    { partition: 0, to: [A, B, D], by: A, problem: undefined },
    { partition: 1, to: [A, B, D], by: undefined, problem: 'd cannot be reached' },
  ];
  const view = describeCluster(ring([node(A), node(B), node(C), node(D)], { moves, notes: ['hm'] }), SETTINGS);
  expect(view).toMatchObject({
    healthy: false,
    movesLeft: 2,
    problems: ['partition 1: cannot be moved yet: d cannot be reached', 'hm'],
  });
  expect(view.partitions[0]).toMatchObject({ moveTo: [A, B, D], movedBy: A });
  expect(view.partitions[1]).not.toHaveProperty('movedBy');
});

test('problems are bounded, however much is wrong', () => {
  const partitions = Array.from({ length: 1_024 }, (_, partition) => ({
    partition,
    epoch: 1,
    attempt: 1,
    members: [{ node: A, diskId: 1 }],
  }));
  const moves = partitions.map(({ partition }) => ({
    partition,
    to: [B],
    by: undefined,
    problem: `why ${partition % 100}`,
  }));
  const { problems } = describeCluster(ring([node(A, { state: 'stopped' })], { partitions, moves }), SETTINGS);
  expect(problems.length).toBe(20);
  expect(problems[0]).toBe(
    'partitions 0, 1, 2, 3, 4, 5, 6, 7 and 1016 more: no majority votes, nothing is served strictly',
  );
});
