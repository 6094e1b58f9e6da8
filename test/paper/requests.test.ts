/*
 * The Dynamo paper (SOSP 2007), section 4.5, claim by claim.
 *
 * | of the paper                                          | here                                                    |
 * | ----------------------------------------------------- | ------------------------------------------------------- |
 * | a node that is no home hands a put to one that is     | it coordinates itself: it knows the same ring            |
 * | the coordinator of a put makes its vector clock       | its ballot                                               |
 * | a get returns all versions without a common successor | the newest (section 4.4)                                 |
 * | fewer than R or W: the request fails                  | so here, after the time an operation may take            |
 */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { ReadOutcome } from '../../src/dynamo/client.ts';
import type { CoordinatingNode } from '../../src/dynamo/coordinating-node.ts';
import { DEFAULT_NODE_LIMITS } from '../../src/dynamo/node-settings.ts';
import { RingClient } from '../../src/dynamo/ring-client.ts';
import { RingView } from '../../src/dynamo/ring-view.ts';
import { NAMES, PaperRing, type PaperRingOptions, TABLE } from './paper-ring.ts';

const NAME = 'cart';

/** A ring whose last node coordinates and is no home of `NAME`, and whose homes answer after 20, 100 and 400 ms. */
function slowRing(options: Partial<PaperRingOptions>) {
  const ring = new PaperRing({ nodes: 4, ...options });
  const homes = ring.homesOf(NAME);
  const coordinator = ring.ids.find((id) => !homes.includes(id))!;
  const legs = [10, 50, 200];
  ring.delayMs = ({ from, to, isReply }) => legs[homes.indexOf(isReply ? from : to)]!;
  return { ring, coordinator };
}

/** A ring in which one home of `NAME` has died, and all who asked have noticed. */
function ringWithDeadHome() {
  const ring = new PaperRing({ nodes: 6 });
  const [coordinator, dead] = ring.homesOf(NAME);
  ring.kill(dead!);
  for (const other of ring.ids) ring.put(other, NAME, 'old');
  ring.run(DEFAULT_NODE_LIMITS.suspectAfterMs);
  return { ring, coordinator: coordinator!, dead: dead! };
}

/** A node that has nothing, and tells when it is asked. */
function answering(noteAsked: () => void): CoordinatingNode {
  return {
    coordinate: (request, reply) => {
      if (request.kind !== 'coordinate-read') return;
      noteAsked();
      (reply as (outcome: ReadOutcome) => void)({ kind: 'none' });
    },
  };
}

const requests = (sent: PaperRing['sent']) => sent.filter(({ isReply }) => !isReply);

describe('4.5 get and put', () => {
  test('any node takes puts and gets of any key', () => {
    const ring = new PaperRing({ nodes: 6 });
    for (const name of NAMES.slice(0, 8)) {
      for (const [i, at] of ring.ids.entries()) {
        expect(ring.put(at, name, `v${i}`).kind).toBe('applied');
        for (const other of ring.ids) expect(ring.get(other, name).text).toBe(`v${i}`);
      }
    }
  });

  test('a client that knows the ring goes to the first node of the preference list, or the next that lives', async () => {
    const ring = new PaperRing({ nodes: 5 });
    const view = new RingView(ring.configs);
    for (const name of NAMES.slice(0, 8)) {
      const asked: string[] = [];
      const nodes = new Map<string, CoordinatingNode>(ring.ids.map((id) => [id, answering(() => asked.push(id))]));
      const client = new RingClient({ view, nodes, clock: ring.clock, limits: DEFAULT_NODE_LIMITS, writeQuorum: 2 });
      const list = ring.preferenceListOf(name);
      for (const first of list) {
        const key = { table: TABLE, partitionKey: name, sortKey: '' };
        await client.read({ key, from: 'committed', consistency: 'dynamo' });
        nodes.delete(first);
      }
      expect(asked).toEqual(list);
      client.stop();
    }
  });

  test('with all nodes well, a request goes to the first N of the preference list and to nobody else', () => {
    const ring = new PaperRing({ nodes: 6 });
    const top = ring.preferenceListOf(NAME).slice(0, 3).toSorted();
    for (const at of ring.ids) {
      for (const act of [() => ring.put(at, NAME, 'x'), () => ring.get(at, NAME)]) {
        const asked = requests(ring.during(act)).map(({ to }) => to);
        expect(asked.sort()).toEqual(top);
      }
    }
  });

  test('nodes that are down are skipped, and nodes of lower rank come in', () => {
    const { ring, coordinator, dead } = ringWithDeadHome();
    const healthy = ring
      .preferenceListOf(NAME)
      .filter((id) => id !== dead)
      .slice(0, 3);
    for (const act of [() => ring.put(coordinator, NAME, 'x'), () => ring.get(coordinator, NAME)]) {
      const asked = requests(ring.during(act)).map(({ to }) => to);
      expect(asked.sort()).toEqual(healthy.toSorted());
    }
  });

  test.each([
    [1, 20],
    [2, 100],
    [3, 400],
  ])('a put is answered as soon as W=%i nodes have it: as slow as the slowest of those', (writeQuorum, ms) => {
    const { ring, coordinator } = slowRing({ writeQuorum });
    expect(ring.put(coordinator, NAME, 'x')).toEqual({ kind: 'applied', ms });
  });

  test.each([
    [1, 20],
    [2, 100],
    [3, 400],
  ])('a get is answered as soon as R=%i nodes answered: as slow as the slowest of those', (readQuorum, ms) => {
    const { ring, coordinator } = slowRing({ writeQuorum: 3, readQuorum });
    ring.put(coordinator, NAME, 'x');
    expect(ring.get(coordinator, NAME)).toEqual({ kind: 'found', text: 'x', ms });
  });

  test('with R + W > N a get sees every put that was answered, whichever nodes answer first', () => {
    const quorums = fc.constantFrom([1, 3] as const, [2, 2] as const, [3, 1] as const);
    const delays = fc.array(fc.integer({ min: 1, max: 60 }), { minLength: 12, maxLength: 12 });
    fc.assert(
      fc.property(quorums, delays, fc.nat(3), fc.nat(3), ([readQuorum, writeQuorum], ms, writer, reader) => {
        const ring = new PaperRing({ nodes: 4, partitions: 2, readQuorum, writeQuorum, readRepair: false });
        ring.put('node-1', NAME, 'old');
        ring.run(100);
        ring.delayMs = ({ from, to, isReply, kind }) => {
          const replica = ring.ids.indexOf(isReply ? from : to);
          return ms[replica * 3 + (isReply ? 2 : kind === 'learn' ? 1 : 0)]!;
        };
        expect(ring.put(ring.ids[writer]!, NAME, 'new').kind).toBe('applied');
        expect(ring.get(ring.ids[reader]!, NAME).text).toBe('new');
      }),
      { numRuns: 60 },
    );
  });

  test('a get returns the newest of the versions it gathered, and writes it back to those that had an older one', () => {
    const ring = new PaperRing({ nodes: 4, writeQuorum: 1, readQuorum: 3 });
    const [first, ...others] = ring.homesOf(NAME);
    ring.put(first!, NAME, 'old');
    ring.run(10);
    ring.isLost = ({ to, kind }) => kind === 'learn' && to !== first;
    ring.put(first!, NAME, 'new');
    ring.run(10);
    ring.isLost = () => false;
    for (const other of others) expect(ring.versionAt(other, NAME)).toBe('old');
    expect(ring.get(others[0]!, NAME).text).toBe('new');
    ring.run(10);
    for (const other of others) expect(ring.versionAt(other, NAME)).toBe('new');
  });

  test('with fewer than W nodes alive a put does not succeed, with fewer than R a get does not', () => {
    const ring = new PaperRing({ nodes: 3, writeQuorum: 3, readQuorum: 3 });
    expect(ring.put('node-1', NAME, 'x').kind).toBe('applied');
    ring.kill('node-3');
    // Perhaps another coordinator reaches so many; the client asks it (`ring-client.ts`).
    expect(ring.put('node-1', NAME, 'y').kind).toBe('handed-back');
    expect(ring.get('node-1', NAME).kind).toBe('unavailable');
  });
});
