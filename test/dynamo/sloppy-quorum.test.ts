import { describe, expect, test } from 'vitest';
import { TICKS_PER_MS } from '../../src/dynamo/ballot.ts';
import { DEFAULT_NODE_LIMITS } from '../../src/dynamo/node-settings.ts';
import type { WriteAnswer } from '../../src/dynamo/registers/handed-back.ts';
import { writeOf } from './coordination-requests.ts';
import { EpochRing, keyOf, recordOf } from './epoch-ring.ts';
import { put } from './three-nodes.ts';

/** Puts in `dynamo` mode, without a condition. */
function putSloppily(ring: EpochRing, at: string, name: string, text: string, forMs?: number) {
  let answered: WriteAnswer | undefined;
  const request = writeOf(keyOf(name), put(text), { partitionKey: name, consistency: 'dynamo' });
  ring.node(at).coordinate(request, (outcome) => {
    answered = outcome;
  });
  ring.settle(forMs);
  return answered;
}

describe('a put in dynamo mode that was answered', () => {
  test('survives the death of all processes', () => {
    const ring = new EpochRing('ABC', 3);
    expect(putSloppily(ring, 'A', 'k', 'v')?.kind).toBe('applied');
    for (const id of 'ABC') ring.kill(id);
    for (const id of 'ABC') ring.start(id);
    expect([...'ABC'].map((id) => ring.committed(id, 'k'))).toEqual(['v', 'v', 'v']);
  });

  test('survives the death of the substitute that keeps it', () => {
    const ring = new EpochRing('ABC', 3);
    const { reply } = ring.ask('A', { kind: 'hint', key: keyOf('k'), record: recordOf('v', 1_000), home: 'B' });
    expect(reply?.kind).toBe('hinted');
    ring.kill('A');
    ring.start('A');
    expect(ring.node('A').status().hints).toBe(1);
  });

  test('survives the death of its home after the hint was delivered', () => {
    const ring = new EpochRing('ABC', 3);
    ring.ask('A', { kind: 'hint', key: keyOf('k'), record: recordOf('v', 1_000), home: 'B' });
    ring.node('A').startBackground();
    ring.settle(1_000);
    ring.node('A').stop();
    expect(ring.node('A').status().hints).toBe(0);
    ring.kill('B');
    ring.start('B');
    expect(ring.committed('B', 'k')).toBe('v');
  });

  test('survives that its home, whose disk is new, erases what it was told before it had a vote', () => {
    const ring = new EpochRing('ABCD', 4);
    expect(ring.change('B', 'BCD')?.kind).toBe('changed');
    ring.ask('A', { kind: 'hint', key: keyOf('k'), record: recordOf('v', 1_000), home: 'B' });
    ring.wipe('B');
    ring.node('A').startBackground();
    ring.settle(2_000);
    expect(ring.committed('B', 'k')).toBe('v');
    expect(ring.change('C', 'BCD')?.kind).toBe('changed');
    ring.settle(2_000);
    ring.node('A').stop();
    expect(ring.committed('B', 'k')).toBe('v');
  });

  test('is not older than one before it, whose coordinator began above all that it may have promised', () => {
    const ring = new EpochRing('ABC', 3);
    // Makes A's ceiling, from which it goes on after a restart.
    ring.node('A').coordinate(writeOf(keyOf('other'), put('v'), { partitionKey: 'other' }), () => {});
    ring.settle(5);
    ring.kill('A');
    ring.start('A');
    expect(putSloppily(ring, 'A', 'k', 'first', 1)?.kind).toBe('applied');
    expect(putSloppily(ring, 'B', 'k', 'second', 1)?.kind).toBe('applied');
    expect([...'ABC'].map((id) => ring.committed(id, 'k'))).toEqual(['second', 'second', 'second']);
  });

  test('of a clock that is far ahead takes no other clock with it', () => {
    const ring = new EpochRing('ABC', 3);
    const hlc = (ring.clock.now() + 3_600_000) * TICKS_PER_MS;
    ring.commit('B', 'far', recordOf('v', hlc));
    expect(putSloppily(ring, 'B', 'k', 'v')?.kind).toBe('applied');
    expect(ring.node('B').stateOf(keyOf('k')).committed!.ballot.hlc).toBeLessThan(hlc);
    expect(ring.read('B', 'k')).toBe('v');
  });

  test('survives that the one that has it missed an epoch, and begins a later one with nothing', () => {
    const ring = new EpochRing('ABC', 3);
    const now = ring.clock.now() * TICKS_PER_MS;
    ring.commit('B', 'k', recordOf('v', now));
    ring.commit('B', 'old', recordOf('v', now - DEFAULT_NODE_LIMITS.hintLifeMs * TICKS_PER_MS - 1));
    ring.isLost = ({ from, to }) => from !== to && (from === 'B' || to === 'B');
    expect(ring.change('A', 'ABC')?.kind).toBe('changed');
    expect(ring.change('A', 'ABC')?.kind).toBe('changed');
    ring.isLost = () => false;
    ring.node('B').learnConfig(ring.decided);
    ring.settle();
    expect(ring.node('B').votingConfig(0)?.epoch).toBe(2);
    expect(ring.committed('B', 'k')).toBe('v');
    // It may have been deleted, and purged, meanwhile.
    expect(ring.committed('B', 'old')).toBe(undefined);
  });

  test('does not keep the one that has it from beginning if nobody takes it', () => {
    const ring = new EpochRing('ABC', 3);
    ring.commit('B', 'k', recordOf('v', ring.clock.now() * TICKS_PER_MS));
    ring.isLost = ({ from, to }) => from !== to && (from === 'B' || to === 'B');
    expect(ring.change('A', 'ABC')?.kind).toBe('changed');
    expect(ring.change('A', 'ABC')?.kind).toBe('changed');
    ring.node('B').learnConfig(ring.decided);
    ring.settle(60_000);
    expect(ring.node('B').votingConfig(0)?.epoch).toBe(2);
  });
});
