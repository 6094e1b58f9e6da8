import { describe, expect, test } from 'vitest';
import { TICKS_PER_MS } from '../../src/dynamo/ballot.ts';
import { DEFAULT_NODE_LIMITS } from '../../src/dynamo/settings.ts';
import type { PurgeReport } from '../../src/dynamo/tombstones.ts';
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

test('many old tombstones do not wait each for a member that is down', () => {
  const ring = new EpochRing('ABC', 3);
  const old = (ring.clock.now() - 2 * tombstoneGraceMs) * TICKS_PER_MS;
  for (let i = 0; i < 500; i++) ring.commit('ABC', `k${i}`, recordOf(undefined, old));
  ring.kill('C');
  let report: PurgeReport | undefined;
  const purge = (forMs: number) => {
    report = undefined;
    ring.node('A').purgeTombstones((made) => {
      report = made;
    });
    ring.settle(forMs);
  };
  purge(10_000);
  expect(report).toEqual({ purged: 0, waiting: 500 });
  ring.start('C');
  // By this the others hear of it.
  expect(ring.read('C', 'k0')).toBeUndefined();
  purge(30_000);
  expect(report).toEqual({ purged: 500, waiting: 0 });
});
