import { beforeEach, expect, test } from 'vitest';
import { createLog } from '../../src/env/log.ts';
import { DiskWatch } from '../../src/host/disk-watch.ts';
import { ManualClock } from '../parts/manual-clock.ts';

let clock: ManualClock;
let lines: string[];
let watch: DiskWatch;

beforeEach(() => {
  clock = new ManualClock();
  lines = [];
  const write = (line: string) => lines.push(line.replace(/^\S+ /, ''));
  watch = new DiskWatch(clock, createLog({ level: 'info', format: 'text', write, now: () => 0 }));
});

const FULL = new Error('ENOSPC: no space left on device, write');

test('a full disk is told of once, each minute while it is, and when it is over', () => {
  for (let ms = 0; ms < 125_000; ms += 500) {
    for (const node of ['node-2', 'node-1']) watch.refused(node, `/data/${node}`, FULL);
    // What is small finds room now and then.
    watch.taken('node-1');
    clock.advance(500);
  }
  for (const node of ['node-1', 'node-2']) watch.taken(node);
  clock.advance(10_000);
  expect(lines).toEqual([
    'ERROR the disk is full: writes fail, reads go on node=node-2 path=/data/node-2 reason="ENOSPC: no space left on device, write"',
    'ERROR the disk is still full nodes=["node-1","node-2"] path=/data/node-2 reason="ENOSPC: no space left on device, write" seconds=60',
    'ERROR the disk is still full nodes=["node-1","node-2"] path=/data/node-2 reason="ENOSPC: no space left on device, write" seconds=120',
    'WARN  the disk takes writes again seconds=130',
  ]);
  clock.advance(200_000);
  watch.taken('node-1');
  expect(lines).toHaveLength(4);
});

test('a disk to which nothing was written since stays full', () => {
  watch.refused('node-1', '/data', FULL);
  clock.advance(61_000);
  expect(lines).toHaveLength(2);
  watch.taken('node-1');
  clock.advance(1_000);
  expect(lines.at(-1)).toBe('WARN  the disk takes writes again seconds=62');
});

test('what is not for want of room is not called so', () => {
  watch.refused('node-1', '/data', new Error('EIO: i/o error, write'));
  expect(lines).toEqual([
    'ERROR the disk refuses writes: they fail, reads go on node=node-1 path=/data reason="EIO: i/o error, write"',
  ]);
});

test('the disk of a node that has ended is no concern any more, and a watch that has stopped says nothing', () => {
  watch.refused('node-1', '/data', FULL);
  watch.forget('node-1');
  clock.advance(200_000);
  expect(lines).toHaveLength(1);
  watch.refused('node-1', '/data', FULL);
  watch.stop();
  clock.advance(120_000);
  expect(lines).toHaveLength(2);
});
