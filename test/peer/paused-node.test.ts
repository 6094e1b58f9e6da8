import { describe, expect, test } from 'vitest';
import type { CoordinationRequest } from '../../src/dynamo/coordination-messages.ts';
import { PausedNode } from '../../src/peer/paused-node.ts';
import { readOf } from '../dynamo/coordination-requests.ts';
import { ManualClock } from '../parts/manual-clock.ts';

const PATIENCE_MS = 1_000;

describe('what waits for a paused node', () => {
  const asked: string[] = [];
  const node = {
    coordinate: (request: CoordinationRequest) => {
      if (request.kind === 'coordinate-read') asked.push(`read ${request.key}`);
      if (request.kind === 'forget-table') asked.push(`forget ${request.table}`);
    },
  };

  test('reaches it when it goes on, unless it was given back by then; a table is to be forgotten however late', () => {
    const clock = new ManualClock();
    const door = new PausedNode(node, clock, PATIENCE_MS);
    const given: string[] = [];
    door.coordinate(readOf('old', 'latest'), ({ kind }) => given.push(kind));
    door.coordinate({ kind: 'forget-table', table: 'table' }, () => {});
    clock.advance(PATIENCE_MS);
    door.coordinate(readOf('new', 'latest'), ({ kind }) => given.push(kind));
    door.release();
    clock.advance(PATIENCE_MS);
    expect(given).toEqual(['unavailable']);
    expect(asked).toEqual(['forget table', 'read new']);
  });
});
