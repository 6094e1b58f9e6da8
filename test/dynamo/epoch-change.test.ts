import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { TICKS_PER_MS } from '../../src/dynamo/ballot.ts';
import type { Request } from '../../src/dynamo/messages.ts';
import { randomBelow, SeededRandom } from '../../src/env/random.ts';
import type { Sent } from '../parts/memory-node.ts';
import { readOf } from './coordination-requests.ts';
import { EpochRing, keyOf, recordOf } from './epoch-ring.ts';

const HOUR_MS = 3_600_000;
/** The time of a ballot, counted from the start of the test. */
const at = (ms: number) => (100_000_000 + ms) * TICKS_PER_MS;

/** A partition at A, B and C: `x` is committed at two of them; `y` was chosen, but nobody knows that. */
function ringWithRecords(): EpochRing {
  const ring = new EpochRing('ABCDEF', 3);
  ring.commit('AB', 'x', recordOf('x', at(0)));
  ring.accept('BC', 'y', recordOf('y', at(0)));
  return ring;
}

function expectAllThere(ring: EpochRing, node: string): void {
  expect(ring.read(node, 'x')).toBe('x');
  expect(ring.read(node, 'y')).toBe('y');
}

const isOf = (ring: EpochRing, ids: string) => ring.decided.members.map(({ node }) => node).join('') === ids;
const touches = ({ from, to }: Sent, ids: string) => ids.includes(from) || ids.includes(to);

describe('a partition that changes its members', () => {
  test('keeps what was committed and what was accepted, also if none of the old members stays', () => {
    const ring = ringWithRecords();
    expect(ring.change('A', 'DEF')).toMatchObject({ kind: 'changed', config: { epoch: 1 } });
    ring.isLost = (sent) => touches(sent, 'ABC');
    for (const id of 'DEF') expectAllThere(ring, id);
  });

  test('keeps all of it if an answer holds one record', () => {
    const ring = new EpochRing('ABCDEF', 3, { repairBytes: 1 });
    const names = Array.from({ length: 5 }, (_, i) => `k${i}`);
    for (const name of names) ring.commit('AB', `${name} committed`, recordOf(name, at(0)));
    for (const name of names) ring.accept('BC', name, recordOf(name, at(0)));
    expect(ring.change('A', 'DEF')).toMatchObject({ kind: 'changed', config: { epoch: 1 } });
    expect(ring.sent.filter(({ kind, to }) => kind === 'sealed-records' && to === 'B').length).toBeGreaterThan(5);
    ring.isLost = (sent) => touches(sent, 'ABC');
    for (const name of names) {
      expect(ring.read('D', name)).toBe(name);
      expect(ring.read('D', `${name} committed`)).toBe(name);
    }
  });

  test('takes strict requests again within a few round trips, and eventually consistent ones all the time', () => {
    const ring = ringWithRecords();
    ring.isLost = ({ kind }) => kind === 'stage';
    const led = ring.lead('A', 'ABD');
    ring.settle(200);
    expect(ring.node('B').isSealed(0)).toBe(true);
    let found: string | undefined;
    ring.node('B').coordinate(readOf(keyOf('x'), 'committed'), ({ kind }) => {
      found = kind;
    });
    expect(found).toBe('found');
    ring.isLost = () => false;
    ring.settle();
    expect(led.outcome).toMatchObject({ kind: 'changed' });

    const calm = ringWithRecords();
    const outcome = calm.change('A', 'ABD');
    expect(outcome?.kind === 'changed' && outcome.pausedMs).toBeLessThan(100);
  });

  test('may do so while one of the old members is down', () => {
    for (const down of 'ABC') {
      const ring = ringWithRecords();
      ring.isLost = (sent) => touches(sent, down);
      expect(ring.change('D', 'DEF')).toMatchObject({ kind: 'changed' });
      expectAllThere(ring, 'E');
    }
  });

  test('stays as it is, and unsealed, as long as a newcomer has not copied it', () => {
    const ring = ringWithRecords();
    ring.isLost = (sent) => touches(sent, 'D');
    expect(ring.change('A', 'ABD')).toMatchObject({ kind: 'failed' });
    expect(ring.sent.some(({ kind }) => kind === 'seal')).toBe(false);
    expectAllThere(ring, 'A');
  });

  test('is not decided without a newcomer that has copied and does not stage, although a majority does', () => {
    const ring = ringWithRecords();
    ring.isLost = ({ kind, to }) => kind === 'stage' && to === 'D';
    expect(ring.change('A', 'ABD')).toMatchObject({ kind: 'failed' });
    expect(ring.decided.epoch).toBe(0);
    ring.isLost = () => false;
    expect(ring.change('A', 'ABC')).toMatchObject({ kind: 'changed' });
    expect(ring.change('A', 'ABD')).toMatchObject({ kind: 'changed' });
    expectAllThere(ring, 'D');
  });

  test('is decided without an old member that does not stage', () => {
    const ring = ringWithRecords();
    ring.isLost = ({ kind, to }) => kind === 'stage' && to === 'B';
    expect(ring.change('A', 'ABD')).toMatchObject({ kind: 'changed' });
    expectAllThere(ring, 'D');
  });

  test('is not led on while too few of the old members answer', () => {
    const ring = ringWithRecords();
    ring.isLost = (sent) => touches(sent, 'BC');
    expect(ring.change('A', 'ABC')).toMatchObject({ kind: 'failed' });
    expect(ring.decided.epoch).toBe(0);
    ring.isLost = () => false;
    expect(ring.change('A', 'ABC')).toMatchObject({ kind: 'changed' });
    expectAllThere(ring, 'C');
  });

  test('loses nothing whenever the controller dies: another begins again', () => {
    const count = (() => {
      const ring = ringWithRecords();
      ring.change('F', 'ADE');
      return ring.sent.length;
    })();
    for (let last = 0; last < count; last++) {
      const ring = ringWithRecords();
      ring.isLost = (sent) => ring.sent.length > last && touches(sent, 'F');
      ring.lead('F', 'ADE');
      ring.settle();
      ring.kill('F');
      // Whatever was decided is told, as gossip would.
      for (const id of 'ABCDE') ring.node(id).learnConfig(ring.decided);
      if (!isOf(ring, 'ADE')) expect(ring.change('B', 'ADE')).toMatchObject({ kind: 'changed' });
      ring.settle();
      expectAllThere(ring, 'D');
      expectAllThere(ring, 'E');
    }
  });

  test('loses nothing when messages are lost, doubled and late', () => {
    fc.assert(
      fc.property(fc.nat(1_000_000), fc.constantFrom('ABD', 'ADE', 'DEF'), (seed, members) => {
        const ring = ringWithRecords();
        const random = new SeededRandom(seed);
        ring.isLost = () => random.next() < 0.15;
        ring.isDoubled = () => random.next() < 0.2;
        ring.isHeld = () => random.next() < 0.1;
        for (let attempts = 0; attempts < 30 && !isOf(ring, members); attempts++) {
          ring.lead('ABCDEF'[randomBelow(random, 6)]!, members);
          ring.settle(100 + randomBelow(random, 10_000));
          ring.release();
        }
        for (const cease of ['isLost', 'isDoubled', 'isHeld'] as const) ring[cease] = () => false;
        // Controllers that are still at work end one another's attempts.
        ring.settle();
        if (!isOf(ring, members)) ring.change('A', members);
        for (const id of 'ABCDEF') ring.node(id).learnConfig(ring.decided);
        ring.release();
        ring.settle();
        expect(isOf(ring, members)).toBe(true);
        for (const id of members) expectAllThere(ring, id);
      }),
      { numRuns: 100 },
    );
  });

  test('has one next epoch, whoever of two controllers gets there', () => {
    for (let aheadMs = 0; aheadMs < 60; aheadMs += 5) {
      const ring = ringWithRecords();
      const one = ring.lead('A', 'ABD');
      ring.settle(aheadMs);
      const other = ring.lead('B', 'ABE');
      ring.settle();
      const { epoch } = ring.decided;
      expect([one.outcome?.kind, other.outcome?.kind].filter((kind) => kind === 'changed')).toHaveLength(epoch);
      expectAllThere(ring, 'A');
      for (const id of 'ABCDE') {
        const isNamed = ring.decided.members.some(({ node }) => node === id);
        expect(ring.node(id).votingConfig(0)?.epoch).toBe(isNamed ? epoch : undefined);
      }
    }
  });

  test('decides nothing for an attempt after which another was begun', () => {
    const ring = ringWithRecords();
    // The first has staged everywhere and does not hear of it yet.
    ring.isHeld = ({ kind }) => kind === 'staged';
    const first = ring.lead('A', 'ABD');
    ring.settle(300);
    ring.isHeld = () => false;
    ring.isLost = ({ kind }) => kind === 'staged';
    ring.lead('B', 'ABE');
    ring.settle(100);
    ring.isLost = () => false;
    ring.release();
    ring.settle();
    expect(first.outcome?.kind).not.toBe('changed');
    expect(isOf(ring, 'ABE')).toBe(true);
    expectAllThere(ring, 'E');
  });
});

describe('a member that stages', () => {
  function sealed(): { ring: EpochRing; stage: (attempt: number, ids?: string) => Request } {
    const ring = ringWithRecords();
    for (const id of 'BC') ring.ask(id, { kind: 'seal', partition: 0, epoch: 0 });
    const stage = (attempt: number, ids = 'DEF'): Request => ({
      kind: 'stage',
      next: { partition: 0, epoch: 1, members: ring.members(ids), attempt },
      sources: ['B', 'C'],
    });
    return { ring, stage };
  }

  test('asked twice, gathers once and answers both', () => {
    const { ring, stage } = sealed();
    const answers = [ring.ask('D', stage(1)), ring.ask('D', stage(1))];
    ring.settle();
    expect(answers.map(({ reply }) => reply?.kind)).toEqual(['staged', 'staged']);
    expect(ring.sent.filter(({ kind, to }) => kind === 'sealed-records' && to === 'B')).toHaveLength(1);
    const later = ring.ask('D', stage(1));
    ring.settle();
    expect(later.reply?.kind).toBe('staged');
    expect(ring.sent.filter(({ kind, to }) => kind === 'sealed-records' && to === 'B')).toHaveLength(1);
  });

  test('leaves a stage under way for one of a later attempt, and never goes back to an older', () => {
    const { ring, stage } = sealed();
    const older = ring.ask('D', stage(1));
    const newer = ring.ask('D', stage(2));
    ring.settle();
    expect(older.reply?.kind).toBe('failed');
    expect(newer.reply?.kind).toBe('staged');
    const late = ring.ask('D', stage(1));
    ring.settle();
    expect(late.reply?.kind).toBe('failed');
  });

  test('fails without an answer of each sealed one, and can be asked again', () => {
    const { ring, stage } = sealed();
    ring.isLost = (sent) => touches(sent, 'C');
    const first = ring.ask('D', stage(1));
    ring.settle();
    expect(first.reply?.kind).toBe('failed');
    ring.isLost = () => false;
    const second = ring.ask('D', stage(1));
    ring.settle();
    expect(second.reply?.kind).toBe('staged');
  });

  test('does not for a disk that it does not have', () => {
    const { ring, stage } = sealed();
    const request = stage(1);
    ring.wipe('D');
    const asked = ring.ask('D', request);
    ring.settle();
    expect(asked.reply?.kind).toBe('failed');
  });

  test('does not say so, however often it is asked, with a record that its disk has refused meanwhile', () => {
    const ring = new EpochRing('ABCD', 3);
    // Too old to be handed on by those who leave.
    ring.commit('B', 'x', recordOf('x', at(-2 * HOUR_MS)));
    for (const id of 'BC') ring.ask(id, { kind: 'seal', partition: 0, epoch: 0 });
    let refusals = 0;
    ring.isLost = ({ request, from, to }) => {
      const isFirstOfC = request.kind === 'merkle-hashes' && from === 'D' && to === 'C' && refusals === 0;
      if (isFirstOfC) {
        refusals++;
        ring.store('D').fail(new Error('disk full'));
      }
      return false;
    };
    const next = { partition: 0, epoch: 1, members: ring.members('ABD'), attempt: 1 };
    const ask = () => {
      const asked = ring.ask('D', { kind: 'stage', next, sources: ['B', 'C'] });
      ring.settle();
      return asked.reply?.kind;
    };
    expect([ask(), refusals]).toEqual(['failed', 1]);
    expect(ask()).toBe('staged');
    expect(ring.committed('D', 'x')).toBe('x');
  });

  test('ends with its node, and leaves no timer', () => {
    const { ring, stage } = sealed();
    ring.isLost = (sent) => touches(sent, 'B');
    ring.ask('D', stage(1));
    ring.deliver();
    const before = ring.clock.timers;
    ring.kill('D');
    expect(ring.clock.timers).toBe(before - 1);
  });
});

describe('an item that was deleted so long ago that no tree shows its tombstone', () => {
  const deleted = recordOf(undefined, at(-2 * HOUR_MS));
  const before = recordOf('x', at(-2 * HOUR_MS - 10));

  test('stays deleted, although one of the sealed members has never heard of that', () => {
    const ring = new EpochRing('ABCDEF', 3);
    ring.commit('BC', 'x', before);
    ring.commit('AC', 'x', deleted);
    ring.isLost = (sent) => touches(sent, 'C');
    expect(ring.change('A', 'DEF')).toMatchObject({ kind: 'changed' });
    for (const id of 'DEF') expect(ring.read(id, 'x')).toBeUndefined();
  });

  test('stays deleted, although one of the sealed members had accepted it before', () => {
    const ring = new EpochRing('ABCDEF', 3);
    ring.accept('B', 'x', before);
    ring.commit('AC', 'x', deleted);
    ring.isLost = (sent) => touches(sent, 'C');
    expect(ring.change('A', 'DEF')).toMatchObject({ kind: 'changed' });
    for (const id of 'DEF') expect(ring.read(id, 'x')).toBeUndefined();
  });

  test('stays deleted, although a newcomer copied it before it was purged', () => {
    const ring = new EpochRing('ABCDEF', 3);
    ring.commit('D', 'x', before);
    expect(ring.change('A', 'ABD')).toMatchObject({ kind: 'changed' });
    expect(ring.node('D').stateOf(keyOf('x')).committed).toBeUndefined();
  });
});
