import { describe, expect, test } from 'vitest';
import type { Reply } from '../../src/dynamo/messages.ts';
import { silentLog } from '../../src/env/log.ts';
import { Leaving } from '../../src/peer/leaving.ts';
import { EpochRing, keyOf, recordOf } from '../dynamo/epoch-ring.ts';
import type { Sent } from '../parts/memory-node.ts';

const LIMITS = { lookMs: 100, handOffMs: 1_000, hintsMs: 10_000 };
const isOf = ({ from, to }: Sent, ids: string) => ids.includes(from) || ids.includes(to);

/** Begins to leave; `hasLeft` is set at the end. */
function leave(ring: EpochRing, id: string): { hasLeft: boolean; stop: () => void } {
  const result = { hasLeft: false, stop: () => leaving.stop() };
  const leaving = new Leaving({
    node: ring.node(id),
    clock: ring.clock,
    log: silentLog,
    limits: LIMITS,
    done: () => {
      result.hasLeft = true;
    },
  });
  leaving.start();
  return result;
}

function change(ring: EpochRing, at: string, members: string): void {
  const node = ring.node(at);
  node.changeEpoch(node.configRegister(), 0, ring.members(members), () => {});
}

function answerOf(ring: EpochRing, to: string, request: Parameters<EpochRing['ask']>[1]): Reply | undefined {
  const asked = ring.ask(to, request);
  ring.settle(500);
  return asked.reply;
}

describe('a node that leaves', () => {
  test('stays for as long as a config names it, and goes when a majority votes without it', () => {
    const ring = new EpochRing('ABCD', 3);
    const left = leave(ring, 'C');
    ring.settle(3_000);
    expect(left.hasLeft).toBe(false);
    change(ring, 'A', 'ABD');
    ring.settle(3_000);
    expect(left.hasLeft).toBe(true);
  });

  test('becomes a member of nothing new, and stays one where it is: also in a next epoch', () => {
    const ring = new EpochRing('ABCD', 3);
    for (const id of 'CD') leave(ring, id);
    const next = { partition: 0, epoch: 1, members: ring.members('ABD'), attempt: 1 };
    expect(answerOf(ring, 'D', { kind: 'copy', partition: 0, epoch: 0, sources: ['A'] })?.kind).toBe('failed');
    expect(answerOf(ring, 'D', { kind: 'stage', next, sources: ['A', 'B'] })?.kind).toBe('failed');
    change(ring, 'A', 'ABC');
    ring.settle(2_000);
    expect(ring.node('C').votingConfig(0)?.epoch).toBe(1);
  });

  test('waits until a majority of the newest members votes: the epoch before, which it was in, is needed till then', () => {
    const ring = new EpochRing('ABCDEF', 3);
    change(ring, 'A', 'DEF');
    // None of the new members hears that it is one; those that have left do.
    ring.isLost = ({ kind, to }) => 'DEF'.includes(to) && kind === 'activate';
    ring.settle(2_000);
    expect(ring.node('B').votingConfig(0)).toBeUndefined();
    const left = leave(ring, 'B');
    ring.settle(3_000);
    expect(left.hasLeft).toBe(false);
    ring.isLost = () => false;
    for (const id of 'DE') ring.node(id).learnConfig(ring.node('A').view.newestConfig(0));
    ring.settle(3_000);
    expect(left.hasLeft).toBe(true);
  });

  test('ends an attempt that counts on what it has staged, before it takes that with it', () => {
    const ring = new EpochRing('ABCD', 3);
    // A has staged at D and all others, and is about to decide.
    ring.isHeld = ({ kind, isReply, request }) =>
      !isReply &&
      kind === 'config-prepare' &&
      ring.node('D').stagedAttempt(0) !== undefined &&
      request.kind === kind &&
      request.ballot.coordinator === 1;
    change(ring, 'A', 'ABD');
    ring.settle(300);
    expect(ring.node('D').stagedAttempt(0)).toBe(1);
    const left = leave(ring, 'D');
    ring.settle(300);
    expect(left.hasLeft).toBe(true);
    expect(ring.node('D').stagedAttempt(0)).toBeUndefined();
    ring.isHeld = () => false;
    ring.release();
    ring.settle(2_000);
    expect(ring.node('A').view.newestConfig(0).epoch).toBe(0);
  });

  test('ends a stage that is under way: an attempt would count on it when it is gone', () => {
    const ring = new EpochRing('ABCD', 3);
    // D gathers what the others have, and waits for them.
    ring.isHeld = ({ kind, isReply, to }) => isReply && kind === 'sealed-records' && to === 'D';
    change(ring, 'A', 'ABD');
    ring.settle(50);
    expect(ring.sent.some(({ kind, to }) => kind === 'stage' && to === 'D')).toBe(true);
    const left = leave(ring, 'D');
    ring.settle(300);
    expect(left.hasLeft).toBe(true);
    ring.isHeld = () => false;
    ring.release();
    ring.settle(3_000);
    expect(ring.node('D').stagedAttempt(0)).toBeUndefined();
    expect(ring.node('A').view.newestConfig(0).epoch).toBe(0);
  });

  test('stays if that attempt was decided already: then it is a member', () => {
    const ring = new EpochRing('ABCD', 3);
    ring.isLost = ({ kind, to }) => kind === 'activate' && to === 'D';
    change(ring, 'A', 'ABD');
    ring.settle(3_000);
    expect(ring.node('D').stagedAttempt(0)).toBe(1);
    ring.isLost = () => false;
    const left = leave(ring, 'D');
    ring.settle(3_000);
    expect(left.hasLeft).toBe(false);
    expect(ring.node('D').votingConfig(0)?.epoch).toBe(1);
  });

  test('does not go while nobody answers it', () => {
    const ring = new EpochRing('ABCD', 3);
    change(ring, 'A', 'ABD');
    ring.settle(1_000);
    ring.isLost = (sent) => isOf(sent, 'C');
    const left = leave(ring, 'C');
    ring.settle(8_000);
    expect(left.hasLeft).toBe(false);
    ring.isLost = () => false;
    ring.settle(4_000);
    expect(left.hasLeft).toBe(true);
  });

  test('hands off what it has, but does not wait for ever', () => {
    const ring = new EpochRing('ABCD', 3);
    change(ring, 'A', 'ABD');
    ring.settle(1_000);
    ring.commit('C', 'x', recordOf('x', 100_000_000 * 1024));
    expect(ring.node('C').holdsAnyOf(0)).toBe(true);
    const left = leave(ring, 'C');
    ring.settle(900);
    expect(left.hasLeft).toBe(false);
    ring.settle(2_000);
    expect(left.hasLeft).toBe(true);
  });

  test('stays with a hint, which may be all that there is of a write, for as long as hints live', () => {
    const ring = new EpochRing('ABCD', 3);
    change(ring, 'A', 'ABD');
    ring.settle(1_000);
    // A is away, so C cannot hand the hint off.
    ring.isLost = (sent) => sent.kind === 'learn' && sent.to === 'A';
    ring.ask('C', {
      kind: 'hint',
      requestId: undefined,
      key: keyOf('x'),
      home: 'A',
      record: recordOf('x', ring.clock.now() * 1_024),
    });
    ring.settle(100);
    expect(ring.node('C').status().hints).toBe(1);
    const left = leave(ring, 'C');
    ring.settle(5_000);
    expect(left.hasLeft).toBe(false);
    ring.settle(7_000);
    expect(left.hasLeft).toBe(true);
  });

  test('goes nowhere once it was stopped', () => {
    const ring = new EpochRing('ABCD', 3);
    change(ring, 'A', 'ABD');
    ring.settle(1_000);
    const left = leave(ring, 'C');
    left.stop();
    ring.settle(5_000);
    expect(left.hasLeft).toBe(false);
  });
});
