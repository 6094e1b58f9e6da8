import { describe, expect, test } from 'vitest';
import type { WriteAnswer } from '../../src/dynamo/registers/handed-back.ts';
import type { Sent } from '../parts/memory-node.ts';
import { writeOf } from './coordination-requests.ts';
import { EpochRing, keyOf, recordOf } from './epoch-ring.ts';
import { put } from './three-nodes.ts';

const touches = ({ from, to }: Sent, ids: string) => ids.includes(from) || ids.includes(to);
const isWithin = ({ from, to }: Sent, ids: string) => ids.includes(from) && ids.includes(to);

/**
 * In epoch 1 A, B and C are the members. B is cut off while A and C are sealed and the partition moves to A, D and E. C has
 * heard that it is out.
 */
function moved() {
  const ring = new EpochRing('ABCDE', 3);
  ring.change('A', 'ABC');
  const first = ring.decided;
  expect(first.epoch).toBe(1);
  ring.isLost = (sent) => touches(sent, 'B') && sent.from !== sent.to;
  const led = ring.lead('A', 'ADE');
  ring.settle();
  expect(led.outcome).toMatchObject({ kind: 'changed' });
  expect(ring.node('C').votingConfig(0)).toBeUndefined();
  return { ring, first, second: ring.decided };
}

/** B, which has heard of nothing, and C alone make a majority of epoch 1: what they choose, the members of epoch 2 never see. */
function expectNoMajorityOfBAndC(ring: EpochRing): void {
  ring.isLost = (sent) => !isWithin(sent, 'BC') && sent.from !== sent.to;
  let outcome: WriteAnswer | undefined;
  ring.node('B').coordinate(writeOf(keyOf('x'), put('lost')), (answered) => {
    outcome = answered;
  });
  ring.settle(10_000);
  expect(outcome?.kind).toBe('unavailable');
}

describe('an activate that comes late to a node that has left', () => {
  test('gives it no vote in an old epoch', () => {
    const { ring, first } = moved();
    ring.ask('C', { kind: 'activate', config: first });
    ring.settle(100);
    expect(ring.node('C').votingConfig(0)).toBeUndefined();
    expectNoMajorityOfBAndC(ring);
  });

  test('nor after a restart, even of a node that is told at its start of nothing newer', () => {
    const { ring, first, second } = moved();
    ring.kill('C');
    ring.decided = first;
    ring.start('C');
    ring.decided = second;
    ring.ask('C', { kind: 'activate', config: first });
    ring.settle(100);
    expect(ring.node('C').view.newestConfig(0).epoch).toBe(2);
    expect(ring.node('C').votingConfig(0)).toBeUndefined();
    expectNoMajorityOfBAndC(ring);
  });

  test('nor if all that its disk had of leaving was a beginning', () => {
    for (let survivors = 0; survivors < 8; survivors++) {
      const { ring, first } = moved();
      const second = ring.decided;
      // D was sealed in epoch 2 and is about to leave; its disk does not answer any more.
      ring.isLost = (sent) => sent.kind === 'activate' && sent.to === 'D';
      const led = ring.lead('A', 'ACE');
      ring.settle();
      expect(led.outcome).toMatchObject({ kind: 'changed' });
      expect(ring.node('D').isSealed(0)).toBe(true);
      ring.store('D').flush = () => {};
      ring.ask('D', { kind: 'activate', config: ring.decided });
      ring.kill('D', survivors);
      Reflect.deleteProperty(ring.store('D'), 'flush');
      const third = ring.decided;
      ring.decided = first;
      ring.start('D');
      ring.decided = third;
      ring.ask('D', { kind: 'activate', config: second });
      ring.settle(100);
      const mayVote = ring.node('D').votingConfig(0) !== undefined && !ring.node('D').isSealed(0);
      expect(mayVote, `${survivors} writes survive`).toBe(false);
    }
  });

  test('nor to one that missed an epoch and was killed while it erased what it had, to begin a later one', () => {
    const ring = new EpochRing('ABCD', 3);
    ring.commit('ABC', 'x', recordOf('x', 2));
    const base = ring.decided;
    // C is sealed in epoch 0, and hears no more until epoch 2 names it again.
    ring.isLost = ({ kind, to }) => to === 'C' && (kind === 'activate' || kind === 'stage');
    ring.lead('A', 'ABC');
    ring.settle();
    ring.lead('A', 'ABC');
    ring.settle();
    expect(ring.decided.epoch).toBe(2);
    expect(ring.node('C').votingConfig(0)?.epoch).toBe(0);
    ring.ask('C', { kind: 'activate', config: ring.decided });
    ring.deliver();
    expect(ring.node('C').votingConfig(0)).toBeUndefined();
    ring.store('C').flush(() => {});
    ring.kill('C');
    const second = ring.decided;
    ring.decided = base;
    ring.start('C');
    ring.decided = second;
    ring.ask('C', { kind: 'activate', config: base });
    ring.settle(100);
    expect(ring.node('C').votingConfig(0)?.epoch).not.toBe(0);
    // The epoch that it was about to begin it begins all the same.
    ring.isLost = () => false;
    ring.ask('C', { kind: 'activate', config: second });
    ring.settle();
    expect(ring.node('C').votingConfig(0)?.epoch).toBe(2);
    expect(ring.read('C', 'x')).toBe('x');
  });
});
