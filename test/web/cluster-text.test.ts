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

const PARTITIONS = Array.from({ length: 64 }, (_, partition) => partition);

const ring = (nodes: ClusterView['nodes'], more: Partial<ClusterView> = {}): ClusterView => ({
  healthy: true,
  problems: [],
  nodes,
  partitions: PARTITIONS.map((partition) => ({ partition, epoch: 0, homes: HOMES, notVoting: [] })),
  replication: 3,
  writeQuorum: 2,
  readQuorum: 1,
  movesLeft: 0,
  withoutMajority: [],
  ...more,
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
  const more = {
    withoutMajority: PARTITIONS,
    movesLeft: 5,
    partitions: PARTITIONS.map((partition) => ({
      ...{ partition, epoch: 0, homes: HOMES, notVoting: HOMES },
      ...(partition < 2 && { moveTo: HOMES, movedBy: 'node-1' }),
    })),
    problems: ['partition 7: cannot be moved yet: nobody is up'],
  };
  expect(
    clusterText(ring([...nodes, node('node-3', { state: 'silent' })], more)),
  ).toBe(`3 nodes: 1 up, 1 silent, 1 stopped; N=3 W=2 R=1
64 partitions, 64 of them WITHOUT a majority of their homes up
5 partitions still to be moved, 2 of them now
partition 7: cannot be moved yet: nobody is up

node    state    partitions  leads  hints  suspects
node-1  up               64     21   1000  node-2 node-3
node-2  stopped          64     21      -  -
node-3  silent           64     21      -  -
`);
});

test('what the processes of a cluster run, and what they could', () => {
  const level = { now: 1, possible: 1, because: '' };
  const same = HOMES.map((id) => node(id, { version: '1.0', knowsLevel: 1 }));
  expect(clusterText(ring(same, { level })).split('\n')[2]).toBe('version 1.0; level 1');
  const mixed = HOMES.map((id, i) => node(id, { version: `1.${i >> 1}`, knowsLevel: 2 }));
  expect(clusterText(ring(mixed, { level: { ...level, possible: 2 } })).split('\n')[2]).toBe(
    'versions 1.0 (node-1, node-2), 1.1 (node-3); level 1; admin finalize would raise it to 2',
  );
});

test('the largest ring in its worst state fits into 80 columns', () => {
  const ids = Array.from({ length: 64 }, (_, at) => `node-${at + 1}`);
  const text = clusterText(ring(ids.map((id) => node(id, { partitions: 1_024, hints: 1e9, suspects: ids.slice(1) }))));
  expect(text.split('\n').filter((line) => line.length >= 80)).toEqual([]);
});
