/*
 * The Dynamo paper (SOSP 2007), section 4.6, claim by claim.
 *
 * | of the paper                                  | here                                                               |
 * | --------------------------------------------- | ------------------------------------------------------------------ |
 * | preference lists across data centres          | not implemented: a node is all that fails                           |
 * | the hint travels in the replica's metadata    | a request and a store of its own, keyed by home                     |
 * | whoever stands in detects the home's recovery | by any message from it; it looks every `hintIntervalMs`              |
 */
import { describe, expect, test } from 'vitest';
import { DEFAULT_NODE_LIMITS } from '../../src/dynamo/node-settings.ts';
import { PaperRing } from './paper-ring.ts';

const NAME = 'cart';

/** A ring in which one home of `NAME` is down, and the node that coordinates knows it. */
function ringWithHomeDown() {
  const ring = new PaperRing({ nodes: 6 });
  const list = ring.preferenceListOf(NAME);
  const [coordinator, down, other, substitute] = list as [string, string, string, string];
  ring.kill(down);
  ring.put(coordinator, NAME, 'before');
  ring.run(DEFAULT_NODE_LIMITS.suspectAfterMs);
  return { ring, coordinator, down, other, substitute };
}

/** In how many places this version of the item is, as a replica or as a hint. */
function copies(ring: PaperRing, text: string): number {
  const key = ring.keyOf(NAME);
  const replicas = ring.ids.filter((id) => ring.versionAt(id, NAME) === text).length;
  const hints = ring.ids.filter((id) =>
    ring
      .store(id)
      .range('hints', { from: '\0', to: '\xff', limit: 100 })
      .some(({ key: hint, value }) => hint.endsWith(key) && Buffer.from(value).includes(`"${text}"`)),
  ).length;
  return replicas + hints;
}

describe('4.6 hinted handoff', () => {
  test('a replica meant for a node that is down goes to the next healthy one, with a hint for whom it is', () => {
    const { ring, coordinator, down, other, substitute } = ringWithHomeDown();
    const sent = ring.during(() => ring.put(coordinator, NAME, 'x')).filter(({ isReply }) => !isReply);
    expect(sent.map(({ to, kind }) => `${to} ${kind}`)).toEqual([
      `${coordinator} learn`,
      `${substitute} hint`,
      `${other} learn`,
    ]);
    expect(sent.map(({ request }) => request)).toContainEqual(expect.objectContaining({ kind: 'hint', home: down }));
  });

  test('N copies of an item are kept while a home is down', () => {
    const { ring, coordinator } = ringWithHomeDown();
    ring.put(coordinator, NAME, 'x');
    ring.run(10);
    expect(copies(ring, 'x')).toBe(3);
  });

  test('reads and writes do not fail because nodes are down for a while', () => {
    const { ring, other } = ringWithHomeDown();
    ring.kill(other);
    for (let i = 0; i < 20; i++) {
      const at = ring.ids[i % ring.ids.length]!;
      expect(ring.put(at, NAME, `v${i}`).kind, at).toBe('applied');
      expect(ring.get(at, NAME).text, at).toBe(`v${i}`);
      // Two nodes' writes within one tick of the clock have no order but that of their disks.
      ring.run(1);
    }
  });

  test('what is kept for another node is in a database of its own', () => {
    const { ring, coordinator, down, substitute } = ringWithHomeDown();
    ring.put(coordinator, NAME, 'x');
    ring.run(10);
    expect(ring.hintsAt(substitute)).toEqual([down]);
    expect(ring.store(substitute).range('items', { from: '\0', to: '\xff', limit: 10 })).toEqual([]);
  });

  test('the database is looked through now and then, and what is in it delivered once its home has recovered', () => {
    const { ring, coordinator, down, substitute } = ringWithHomeDown();
    ring.put(coordinator, NAME, 'x');
    ring.startBackground();
    ring.run(10_000);
    expect(ring.hintsAt(substitute)).toEqual([down]);
    ring.start(down);
    expect(ring.versionAt(down, NAME)).toBeUndefined();
    const { probeIntervalMs, hintIntervalMs } = DEFAULT_NODE_LIMITS;
    ring.run(probeIntervalMs + hintIntervalMs + 10);
    expect(ring.versionAt(down, NAME)).toBe('x');
  });

  test('once it is delivered it is deleted, and at no moment are there fewer copies than N', () => {
    const { ring, coordinator, down, substitute } = ringWithHomeDown();
    ring.put(coordinator, NAME, 'x');
    ring.run(10);
    ring.startBackground();
    ring.start(down);
    for (let ms = 0; ms < 2_000; ms++) {
      expect(copies(ring, 'x')).toBeGreaterThanOrEqual(3);
      ring.run(1);
    }
    expect(ring.hintsAt(substitute)).toEqual([]);
    expect(ring.holdersOf(NAME).sort()).toEqual(ring.homesOf(NAME).sort());
  });

  test('it is not deleted before the home has said that it has it', () => {
    const { ring, coordinator, down, substitute } = ringWithHomeDown();
    ring.put(coordinator, NAME, 'x');
    ring.isLost = ({ from, kind }) => from === down && kind === 'learned';
    ring.startBackground();
    ring.start(down);
    ring.run(5_000);
    expect(ring.versionAt(down, NAME)).toBe('x');
    expect(ring.hintsAt(substitute)).toEqual([down]);
    ring.isLost = () => false;
    ring.run(2_000);
    expect(ring.hintsAt(substitute)).toEqual([]);
  });

  test('it outlives a restart of the node that keeps it', () => {
    const { ring, coordinator, down, substitute } = ringWithHomeDown();
    ring.put(coordinator, NAME, 'x');
    ring.run(10);
    ring.kill(substitute);
    ring.start(substitute);
    ring.startBackground();
    ring.start(down);
    ring.run(2_000);
    expect(ring.versionAt(down, NAME)).toBe('x');
  });

  test('with W=1 a write is taken as long as a single node of the system lives', () => {
    const ring = new PaperRing({ nodes: 6, writeQuorum: 1, readQuorum: 1 });
    const last = ring.preferenceListOf(NAME).at(-1)!;
    expect(ring.homesOf(NAME)).not.toContain(last);
    for (const id of ring.ids) if (id !== last) ring.kill(id);
    expect(ring.put(last, NAME, 'x').kind).toBe('applied');
    expect(ring.get(last, NAME).text).toBe('x');
  });
});
