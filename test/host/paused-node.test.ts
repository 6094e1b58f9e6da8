import { describe, expect, test } from 'vitest';
import type { StorageNode } from '../../src/dynamo/node.ts';
import { PausedNode } from '../../src/peer/paused-node.ts';
import { ManualClock } from '../dynamo/manual-clock.ts';

const PATIENCE_MS = 1_000;

describe('what waits for a paused node', () => {
  const asked: string[] = [];
  const node = {
    read: (key: string) => asked.push(`read ${key}`),
    forgetTable: (table: string) => asked.push(`forget ${table}`),
  } as unknown as StorageNode;

  test('reaches it when it goes on, unless it was given back by then; a table is to be forgotten however late', () => {
    const clock = new ManualClock();
    const door = new PausedNode(node, clock, PATIENCE_MS);
    const given: string[] = [];
    door.read('old', true, 'strict', ({ kind }) => given.push(kind));
    door.forgetTable('table');
    clock.advance(PATIENCE_MS);
    door.read('new', true, 'strict', ({ kind }) => given.push(kind));
    door.release();
    clock.advance(PATIENCE_MS);
    expect(given).toEqual(['unavailable']);
    expect(asked).toEqual(['forget table', 'read new']);
  });
});
