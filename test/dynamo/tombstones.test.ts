import { describe, expect, test } from 'vitest';
import { TICKS_PER_MS } from '../../src/dynamo/ballot.ts';
import type { PurgeReport } from '../../src/dynamo/healing/tombstones.ts';
import { DEFAULT_NODE_LIMITS } from '../../src/dynamo/node-settings.ts';
import { EpochRing, keyOf, recordOf } from './epoch-ring.ts';

const { tombstoneGraceMs, purgeIntervalMs, messageLifeMs } = DEFAULT_NODE_LIMITS;

/** A ring of three with a tombstone of that age at those nodes, which have had it all the while. */
function ringWithTombstone(ids: string, ageMs: number, nodes = 'ABC'): EpochRing {
  const ring = new EpochRing(nodes, 3);
  ring.commit(ids, 'x', recordOf(undefined, ring.clock.now() * TICKS_PER_MS));
  ring.clock.advance(ageMs);
  return ring;
}

/** What one pass of a node came to. */
function purgedBy(ring: EpochRing, id: string): number {
  let count = -1;
  ring.node(id).purgeTombstones(({ purged }) => {
    count = purged;
  });
  ring.settle(messageLifeMs + 10_000);
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
  const hlc = ring.clock.now() * TICKS_PER_MS;
  for (let i = 0; i < 500; i++) ring.commit('ABC', `k${i}`, recordOf(undefined, hlc));
  ring.store('C').flush(() => {});
  ring.clock.advance(2 * tombstoneGraceMs);
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
  // All wait together for what may be on its way.
  purge(messageLifeMs + 30_000);
  expect(report).toEqual({ purged: 500, waiting: 0 });
});

describe('a deleted item stays deleted', () => {
  test('although a replica that was behind had sent the old one before it confirmed, and that comes late', () => {
    // Found by simulation of a design; a strong read then returned the item (docs/protocol.md counterexample 15).
    // A, B and D have the tombstone. E was away all the while, C when the item was deleted.
    const ring = new EpochRing('ABCDE', 5);
    ring.commit('C', 'x', recordOf('old', (ring.clock.now() - 10) * TICKS_PER_MS));
    ring.commit('ABD', 'x', recordOf(undefined, ring.clock.now() * TICKS_PER_MS));
    ring.clock.advance(tombstoneGraceMs + 1);
    // Of all others C compares itself with E first.
    ring.isLost = ({ from, to, kind }) => from === 'C' && 'ABD'.includes(to) && kind === 'merkle-hashes';
    ring.isHeld = ({ from, kind }) => from === 'C' && kind === 'learn';
    ring.node('C').repair(() => {});
    ring.settle(35_000);
    const isSent = ring.sent.some(({ from, to, kind }) => from === 'C' && to === 'E' && kind === 'learn');
    expect(isSent).toBe(true);
    let purged = -1;
    ring.node('A').purgeTombstones((report) => {
      purged = report.purged;
    });
    ring.settle(messageLifeMs / 2);
    // By now all have confirmed that they have the tombstone.
    expect(ring.node('E').stateOf(keyOf('x')).committed).toMatchObject({ item: undefined });
    ring.isHeld = () => false;
    ring.release();
    ring.settle(messageLifeMs);
    expect(purged).toBe(1);
    expect([...'ABCDE'].map((id) => ring.node(id).stateOf(keyOf('x')).committed)).toEqual(Array(5).fill(undefined));
    expect(ring.read('E', 'x')).toBeUndefined();
  });

  test('although the clock of the node that deleted it was hours behind, and a hint of an older write is still there', () => {
    const ring = new EpochRing('ABCD', 3);
    const hour = 3_600_000;
    const at = (beforeMs: number) => (ring.clock.now() - beforeMs) * TICKS_PER_MS;
    // Both by a clock that is two hours behind, now. C misses the put, for which D keeps a hint, and the delete.
    const put = recordOf('old', at(2 * hour + 10));
    ring.commit('AB', 'x', put);
    ring.ask('D', { kind: 'hint', key: keyOf('x'), record: put, home: 'C' });
    ring.commit('AB', 'x', recordOf(undefined, at(2 * hour)));
    expect(purgedBy(ring, 'A')).toBe(0);
    ring.node('D').startBackground();
    ring.settle(1_000);
    ring.node('D').stop();
    expect(ring.read('B', 'x')).toBeUndefined();
    // A has had it for long enough, and no hint lives that long.
    ring.clock.advance(tombstoneGraceMs);
    expect(purgedBy(ring, 'A')).toBe(1);
    expect(ring.read('B', 'x')).toBeUndefined();
  });
});

describe('the time since a replica was told of a tombstone whose clock was behind', () => {
  const told = () => {
    const ring = new EpochRing('ABC', 3);
    ring.commit('ABC', 'x', recordOf(undefined, (ring.clock.now() - 2 * tombstoneGraceMs) * TICKS_PER_MS));
    for (const id of 'ABC') ring.store(id).flush(() => {});
    return ring;
  };

  test('goes on over a restart', () => {
    const ring = told();
    ring.clock.advance(tombstoneGraceMs - 120_000);
    ring.kill('A');
    ring.start('A');
    expect(purgedBy(ring, 'A')).toBe(0);
    ring.clock.advance(120_000);
    expect(purgedBy(ring, 'A')).toBe(1);
  });

  test('is forgotten with the tombstone, so that a later one of the key does not wait for it', () => {
    const ring = told();
    ring.commit('ABC', 'x', recordOf('again', (ring.clock.now() - 1) * TICKS_PER_MS));
    expect(ring.store('A').range('meta', { from: 'late/', to: 'late0', limit: 10 })).toEqual([]);
    ring.commit('ABC', 'x', recordOf(undefined, ring.clock.now() * TICKS_PER_MS));
    ring.clock.advance(tombstoneGraceMs + 1);
    expect(purgedBy(ring, 'A')).toBe(1);
  });

  test('is forgotten with what was purged, and with a table that was deleted', () => {
    const ring = told();
    const rows = () => ring.store('A').range('meta', { from: 'late/', to: 'late0', limit: 10 }).length;
    expect(rows()).toBe(1);
    ring.clock.advance(tombstoneGraceMs + 1);
    expect(purgedBy(ring, 'A')).toBe(1);
    expect(rows()).toBe(0);
    ring.commit('A', 'y', recordOf(undefined, (ring.clock.now() - 2 * tombstoneGraceMs) * TICKS_PER_MS));
    expect(rows()).toBe(1);
    ring.node('A').coordinate({ kind: 'forget-table', table: '\0\0\0\0\0\0\0\x01' }, () => {});
    ring.settle(1_000);
    expect(rows()).toBe(0);
  });
});
