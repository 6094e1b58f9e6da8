import { describe, expect, test } from 'vitest';
import { TICKS_PER_MS } from '../../src/dynamo/ballot.ts';
import { DEFAULT_NODE_LIMITS } from '../../src/dynamo/settings.ts';
import { EpochRing, keyOf, recordOf } from './epoch-ring.ts';

const { tombstoneGraceMs, purgeIntervalMs } = DEFAULT_NODE_LIMITS;

/** A ring of three with a tombstone of that age at those nodes. */
function ringWithTombstone(ids: string, ageMs: number): EpochRing {
  const ring = new EpochRing('ABC', 3);
  ring.commit(ids, 'x', recordOf(undefined, (ring.clock.now() - ageMs) * TICKS_PER_MS));
  return ring;
}

/** What one pass of a node came to. */
function purgedBy(ring: EpochRing, id: string): number {
  let count = -1;
  ring.node(id).purgeTombstones(({ purged }) => {
    count = purged;
  });
  ring.settle();
  return count;
}

function holders(ring: EpochRing): string {
  return [...'ABC'].filter((id) => ring.node(id).stateOf(keyOf('x')).committed !== undefined).join('');
}

describe('a tombstone past its grace', () => {
  test('is purged everywhere by the first member', () => {
    const ring = ringWithTombstone('ABC', tombstoneGraceMs + 1);
    expect(purgedBy(ring, 'A')).toBe(1);
    expect(holders(ring)).toBe('');
  });

  test('is left to the first member by the others', () => {
    const ring = ringWithTombstone('ABC', tombstoneGraceMs + 1);
    expect(purgedBy(ring, 'B')).toBe(0);
    expect(holders(ring)).toBe('ABC');
  });

  test('goes too where a late message has brought it back after all had dropped it', () => {
    const ring = ringWithTombstone('C', tombstoneGraceMs + 4 * purgeIntervalMs);
    expect(purgedBy(ring, 'A')).toBe(0);
    expect(holders(ring)).toBe('C');
    expect(purgedBy(ring, 'C')).toBe(1);
    expect(holders(ring)).toBe('');
  });

  test('stays while a member is down', () => {
    const ring = ringWithTombstone('ABC', tombstoneGraceMs + 1);
    ring.kill('C');
    expect(purgedBy(ring, 'A')).toBe(0);
    expect(ring.node('A').stateOf(keyOf('x')).committed).toBeDefined();
  });
});

test('a tombstone within its grace stays', () => {
  const ring = ringWithTombstone('ABC', tombstoneGraceMs - 1_000);
  expect(purgedBy(ring, 'A')).toBe(0);
  expect(holders(ring)).toBe('ABC');
});
