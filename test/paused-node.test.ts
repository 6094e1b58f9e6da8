import { describe, expect, test } from 'vitest';
import type { StorageNode } from '../src/dynamo/node.ts';
import { PausedNode } from '../src/paused-node.ts';
import { ManualClock } from './dynamo/manual-clock.ts';

const PATIENCE_MS = 1_000;

describe('what waits for a paused node', () => {
  const asked: string[] = [];
  const node = {
    read: (key: string) => asked.push(`read ${key}`),
    forgetTable: (table: string) => asked.push(`forget ${table}`),
  } as unknown as StorageNode;

  test('reaches it when it goes on, unless nobody waits for it any more; a table is to be forgotten however late', () => {
    const clock = new ManualClock();
    const door = new PausedNode(node, clock, PATIENCE_MS);
    door.read('old', true, 'strict', () => {});
    door.forgetTable('table');
    clock.advance(PATIENCE_MS);
    door.read('new', true, 'strict', () => {});
    door.release();
    expect(asked).toEqual(['forget table', 'read new']);
  });
});
