/*
 * The Dynamo paper (SOSP 2007), section 4.4, claim by claim.
 *
 * | of the paper                                       | here                                                       |
 * | -------------------------------------------------- | ---------------------------------------------------------- |
 * | vector clocks, and their truncation                | not implemented: a ballot (time, disk, boot) orders all     |
 * | divergent versions, reconciled by the client       | not implemented: of two writes at a time the later stays,   |
 * |                                                    | the paper's "timestamp based reconciliation" (section 6.1)  |
 * | the context that a put carries from a get          | not implemented: DynamoDB's API has none                    |
 */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { TICKS_PER_MS } from '../../src/dynamo/ballot.ts';
import { ItemRecord } from '../../src/dynamo/record.ts';
import { image } from '../dynamo/three-nodes.ts';
import type { Sent } from '../parts/memory-node.ts';
import { PaperRing } from './paper-ring.ts';

const NAME = 'cart';

/** Three nodes, of which the first is cut off from the two others. */
function partitioned() {
  const ring = new PaperRing({ nodes: 3, writeQuorum: 1, readQuorum: 1 });
  const isCut = ({ from, to }: Sent) => (from === 'node-1') !== (to === 'node-1');
  ring.isLost = isCut;
  const heal = () => {
    ring.isLost = () => false;
    // Time for probes, where they run, to find that all are back.
    ring.run(1_000);
    for (const id of ring.ids) ring.repair(id);
  };
  return { ring, heal };
}

const record = (version: number): ItemRecord =>
  new ItemRecord({
    ballot: { hlc: 99_000_000 * TICKS_PER_MS + version, coordinator: 1, boot: 1 },
    item: image(`v${version}`),
    partitionKey: NAME,
    lineage: [],
  });

describe('4.4 versions', () => {
  test('a put may return before all replicas have it, and a get may then return what was there before', () => {
    const ring = new PaperRing({ nodes: 4, writeQuorum: 1, readQuorum: 1 });
    const [near, far] = ring.homesOf(NAME);
    ring.put(near!, NAME, 'old');
    ring.run(100);
    // Writes reach the others late; of the answers to a get, that of a late one is the first.
    ring.delayMs = ({ to, kind }) => (kind === 'learn' && to !== near ? 50 : to === near ? 5 : 1);
    expect(ring.put(near!, NAME, 'new').kind).toBe('applied');
    expect(ring.versionAt(far!, NAME)).toBe('old');
    expect(ring.get(far!, NAME).text).toBe('old');
  });

  test('without failures there is a bound on the time until all replicas have it', () => {
    const ring = new PaperRing({ nodes: 4, writeQuorum: 1 });
    ring.delayMs = ({ to }) => (to === 'node-1' ? 40 : 10);
    for (let i = 0; i < 20; i++) {
      ring.put('node-2', `${NAME}-${i}`, 'x');
      ring.run(40);
      expect(ring.holdersOf(`${NAME}-${i}`)).toHaveLength(3);
    }
  });

  test('while nodes are cut off, updates do not reach them, however long that lasts', () => {
    const { ring, heal } = partitioned();
    ring.startBackground();
    ring.put('node-2', NAME, 'x');
    ring.run(20_000);
    expect(ring.versionAt('node-3', NAME)).toBe('x');
    expect(ring.versionAt('node-1', NAME)).toBeUndefined();
    heal();
    expect(ring.versionAt('node-1', NAME)).toBe('x');
  });

  test('an update is neither refused nor forgotten because the newest version is out of reach', () => {
    const { ring, heal } = partitioned();
    expect(ring.put('node-1', NAME, 'first').kind).toBe('applied');
    ring.run(10);
    // Whoever writes here has not seen the first.
    expect(ring.get('node-2', NAME).kind).toBe('none');
    expect(ring.put('node-2', NAME, 'second').kind).toBe('applied');
    heal();
    expect(ring.ids.map((id) => ring.versionAt(id, NAME))).toEqual(['second', 'second', 'second']);
  });

  test('several versions of an item may be in the system at the same time', () => {
    const { ring } = partitioned();
    ring.put('node-1', NAME, 'a');
    ring.put('node-2', NAME, 'b');
    ring.run(10);
    expect(ring.ids.map((id) => ring.versionAt(id, NAME))).toEqual(['a', 'b', 'b']);
  });

  test('a newer version replaces those before it, in whatever order and however often they arrive', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(5), { minLength: 1, maxLength: 12 }), (versions) => {
        const ring = new PaperRing({ nodes: 3, partitions: 1 });
        for (const version of versions) {
          const request = { kind: 'learn', key: ring.keyOf(NAME), record: record(version) } as const;
          ring.node('node-1').receive('node-2', request, () => {});
        }
        expect(ring.versionAt('node-1', NAME)).toBe(`v${Math.max(...versions)}`);
      }),
      { numRuns: 50 },
    );
  });

  test('of versions written on both sides of a cut the one with the later time stays, and only that one', () => {
    for (const last of ['node-1', 'node-2']) {
      const { ring, heal } = partitioned();
      const first = last === 'node-1' ? 'node-2' : 'node-1';
      ring.put(first, NAME, 'earlier');
      ring.run(10);
      ring.put(last, NAME, 'later');
      ring.run(10);
      heal();
      expect(ring.ids.map((id) => ring.versionAt(id, NAME))).toEqual(['later', 'later', 'later']);
    }
  });
});
