import { expect, test } from 'vitest';
import type { ClusterView } from '../../src/api/admin.ts';
import { clusterText } from '../../src/web/cluster-text.ts';

const node = (id: string, more: Partial<ClusterView['nodes'][number]> = {}): ClusterView['nodes'][number] => ({
  id,
  name: id,
  state: 'up',
  partitions: 64,
  leads: 21,
  hints: 0,
  suspects: [],
  ...more,
});

const HOMES = ['node-1', 'node-2', 'node-3'];

const ring = (nodes: ClusterView['nodes'], movesLeft = 0): ClusterView => ({
  healthy: movesLeft === 0,
  nodes,
  partitions: Array.from({ length: 64 }, (_, partition) => ({ partition, epoch: 0, homes: HOMES })),
  replication: 3,
  writeQuorum: 2,
  readQuorum: 1,
  movesLeft,
});

test('a ring at a glance', () => {
  expect(clusterText(ring(HOMES.map((id) => node(id))))).toBe(`3 nodes: 3 up; N=3 W=2 R=1
64 partitions, each with a majority of its homes up

node    state  partitions  leads  hints  suspects
node-1  up             64     21      0  -
node-2  up             64     21      0  -
node-3  up             64     21      0  -
`);
});

test('what is wrong with it is seen first, and a node that is stopped tells no hints', () => {
  const nodes = [
    node('node-1', { suspects: ['node-2', 'node-3'], hints: 1_000 }),
    node('node-2', { state: 'stopped' }),
  ];
  expect(
    clusterText(ring([...nodes, node('node-3', { state: 'paused' })], 5)),
  ).toBe(`3 nodes: 1 up, 1 paused, 1 stopped; N=3 W=2 R=1
64 partitions, 64 of them WITHOUT a majority of their homes up
5 partitions still to be moved

node    state    partitions  leads  hints  suspects
node-1  up               64     21   1000  node-2 node-3
node-2  stopped          64     21      -  -
node-3  paused           64     21      0  -
`);
});

test('the largest ring in its worst state fits into 80 columns', () => {
  const ids = Array.from({ length: 64 }, (_, at) => `node-${at + 1}`);
  const text = clusterText(ring(ids.map((id) => node(id, { partitions: 1_024, hints: 1e9, suspects: ids.slice(1) }))));
  expect(text.split('\n').filter((line) => line.length >= 80)).toEqual([]);
});
