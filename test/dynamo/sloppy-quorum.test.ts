import { describe, expect, test } from 'vitest';
import type { WriteOutcome } from '../../src/dynamo/client.ts';
import { EpochRing, keyOf, recordOf } from './epoch-ring.ts';
import { put } from './three-nodes.ts';

/** Puts in `dynamo` mode, without a condition. */
function putSloppily(ring: EpochRing, at: string, name: string, text: string): WriteOutcome | undefined {
  let answered: WriteOutcome | undefined;
  ring.node(at).write(keyOf(name), name, put(text), { consistency: 'dynamo', wantsOld: false }, (outcome) => {
    answered = outcome;
  });
  ring.settle();
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
});
