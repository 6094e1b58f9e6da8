import { describe, expect, test } from 'vitest';
import type { Begun } from '../../src/dynamo/epochs/config-register.ts';
import type { PartitionConfig } from '../../src/dynamo/messages.ts';
import type { MemoryStore } from '../../src/env/memory-store.ts';
import type { Sent } from '../parts/memory-node.ts';
import { EpochRing, recordOf } from './epoch-ring.ts';

/** What a register has answered; there after `settle`. */
interface Asked<T> {
  result?: T | undefined;
  error?: Error | undefined;
  isAnswered: boolean;
}

function ask<T>(start: (done: (result: T | undefined, error?: Error) => void) => void): Asked<T> {
  const asked: Asked<T> = { isAnswered: false };
  start((result, error) => Object.assign(asked, { result, error, isAnswered: true }));
  return asked;
}

const baseOf = (ring: EpochRing, at: string) => ring.node(at).view.newestConfig(0);
const begin = (ring: EpochRing, at: string, base = baseOf(ring, at)) =>
  ask<Begun>((done) => ring.node(at).configRegister().begin(base, done));
const decide = (ring: EpochRing, at: string, next: PartitionConfig) =>
  ask<PartitionConfig>((done) => ring.node(at).configRegister().decide(next, done));
const confirm = (ring: EpochRing, at: string) =>
  ask<PartitionConfig>((done) => ring.node(at).configRegister().confirm(0, done));
const next = (ring: EpochRing, attempt: number, members = 'ABD'): PartitionConfig => ({
  partition: 0,
  epoch: 1,
  members: ring.members(members),
  attempt,
});
const isOf = ({ from, to }: Sent, ids: string) => ids.includes(from) || ids.includes(to);

function settled<T>(ring: EpochRing, asked: Asked<T>): T | undefined {
  ring.settle();
  expect(asked.isAnswered).toBe(true);
  return asked.result;
}

describe('the config register of the members of an epoch', () => {
  test('gives attempts numbers that grow, whoever begins them, members or not', () => {
    const ring = new EpochRing('ABCDE', 3);
    for (const [at, attempt] of [
      ['A', 1],
      ['E', 2],
      ['B', 3],
    ] as const) {
      expect(settled(ring, begin(ring, at))).toEqual({ kind: 'attempt', attempt });
    }
  });

  test('gives two that begin at once different numbers', () => {
    for (let aheadMs = 0; aheadMs < 20; aheadMs += 5) {
      const ring = new EpochRing('ABCDE', 3);
      const one = begin(ring, 'D');
      ring.settle(aheadMs);
      const other = begin(ring, 'E');
      ring.settle();
      const numbers = [one, other].flatMap(({ result }) => (result?.kind === 'attempt' ? [result.attempt] : []));
      expect(new Set(numbers).size).toBe(numbers.length);
      expect(numbers.length).toBeGreaterThan(0);
    }
  });

  test('decides for the last attempt that was begun, once', () => {
    const ring = new EpochRing('ABCDE', 3);
    settled(ring, begin(ring, 'A'));
    settled(ring, begin(ring, 'B'));
    expect(settled(ring, decide(ring, 'A', next(ring, 1)))).toEqual(ring.decided);
    const config = next(ring, 2);
    expect(settled(ring, decide(ring, 'B', config))).toEqual(config);
    expect(baseOf(ring, 'B')).toEqual(config);
    // Those who have not heard of it are told.
    expect(settled(ring, begin(ring, 'A'))).toEqual({ kind: 'decided', config });
    expect(settled(ring, decide(ring, 'C', next(ring, 2, 'CDE')))).toEqual(config);
  });

  test('begins nothing at an epoch that the node knows to be over', () => {
    const ring = new EpochRing('ABCDE', 3);
    const base = baseOf(ring, 'A');
    const config = next(ring, 1);
    ring.node('A').learnConfig(config);
    expect(settled(ring, begin(ring, 'A', base))).toEqual({ kind: 'decided', config });
    expect(ring.sent.some(({ kind }) => kind === 'config-prepare')).toBe(false);
  });

  test('works with a majority, and fails without one', () => {
    const ring = new EpochRing('ABCDE', 3);
    ring.isLost = (sent) => isOf(sent, 'C');
    expect(settled(ring, begin(ring, 'D'))).toEqual({ kind: 'attempt', attempt: 1 });
    ring.isLost = (sent) => isOf(sent, 'BC');
    const asked = begin(ring, 'D');
    expect(settled(ring, asked)).toBeUndefined();
    expect(asked.error?.message).toContain('too few members');
  });

  test('carries on what a minority has accepted: it may have been decided', () => {
    for (const seenBy of ['AB', 'BC', 'AC']) {
      const ring = new EpochRing('ABCDE', 3);
      settled(ring, begin(ring, 'E'));
      const config = next(ring, 1);
      // Its accept reaches A alone, and nobody hears of that.
      ring.isLost = ({ kind, to }) => kind === 'config-accepted' || (kind === 'config-accept' && to !== 'A');
      decide(ring, 'E', config);
      ring.settle(100);
      ring.kill('E');
      ring.isLost = (sent) => isOf(sent, [...'ABC'].find((id) => !seenBy.includes(id))!);
      const begun = settled(ring, begin(ring, 'D'));
      if (seenBy.includes('A')) expect(begun).toEqual({ kind: 'decided', config });
      else expect(begun).toEqual({ kind: 'attempt', attempt: 2 });
    }
  });

  test('asks disks: one that was wiped is no member any more', () => {
    const ring = new EpochRing('ABCDE', 3);
    settled(ring, begin(ring, 'A'));
    ring.wipe('B');
    ring.isLost = (sent) => isOf(sent, 'C');
    const asked = begin(ring, 'A');
    expect(settled(ring, asked)).toBeUndefined();
  });

  test('is confirmed by a majority, over epochs that the node has not heard of', () => {
    const ring = new EpochRing('ABCDE', 3);
    expect(settled(ring, confirm(ring, 'E'))).toEqual(ring.decided);
    const bases = [next(ring, 1, 'BCD'), { ...next(ring, 2, 'CDE'), epoch: 2 }];
    for (const config of bases) {
      const [leader] = ['A', 'B'].slice(config.epoch - 1);
      const led = ask((done) => {
        ring
          .node(leader!)
          .changeEpoch(ring.node(leader!).configRegister(), 0, config.members, (outcome) => done(outcome));
      });
      expect(settled(ring, led)).toMatchObject({ kind: 'changed', config: { epoch: config.epoch } });
    }
    // A was told, as it was a member of epoch 0; E, of epoch 2.
    ring.kill('D');
    expect(settled(ring, confirm(ring, 'A'))).toMatchObject({ epoch: 2 });
  });

  test('changes epochs with no other register, and keeps what was written', () => {
    const ring = new EpochRing('ABCDEF', 3);
    ring.accept('BC', 'y', recordOf('y', 100_000_000 * 1024));
    const lead = (at: string, members: string) =>
      settled(
        ring,
        ask((done) => {
          const { node } = { node: ring.node(at) };
          node.changeEpoch(node.configRegister(), 0, ring.members(members), (outcome) => done(outcome));
        }),
      );
    expect(lead('A', 'DEF')).toMatchObject({ kind: 'changed', config: { epoch: 1 } });
    expect(lead('F', 'ABC')).toMatchObject({ kind: 'changed', config: { epoch: 2 } });
    ring.isLost = (sent) => isOf(sent, 'DEF');
    for (const id of 'ABC') expect(ring.read(id, 'y')).toBe('y');
  });

  test('forks if a member forgets in a restart what it has promised, and only then (counterexample 45)', () => {
    for (const forgets of [false, true]) {
      const ring = new EpochRing('ABCDE', 3);
      settled(ring, begin(ring, 'D'));
      const one = next(ring, 1);
      // What D and E have accepted by others waits; A is cut off from E.
      ring.isHeld = ({ kind, isReply }) => kind === 'config-accept' && !isReply;
      ring.isLost = ({ from, to }) => from === 'E' && to === 'A';
      const decided = decide(ring, 'D', one);
      ring.settle(20);
      const ofD = ring.takeHeld();
      const begun = begin(ring, 'E');
      ring.settle(20);
      const ofE = ring.takeHeld();
      ring.kill('B');
      if (forgets) forgetPromise(ring.store('B'));
      ring.start('B');
      ring.isHeld = () => false;
      // C hears of D's round when that is over.
      ring.post(ofD.slice(0, 2));
      ring.settle(20);
      ring.isLost = (sent) => isOf(sent, 'A') || isOf(sent, 'D');
      ring.post(ofE);
      ring.settle(20);
      expect(begun.result).toEqual({ kind: 'attempt', attempt: 2 });
      const other = settled(ring, decide(ring, 'E', next(ring, 2, 'ABE')));
      expect(other).toEqual(next(ring, 2, 'ABE'));
      if (forgets) expect(decided.result).toEqual(one);
      else expect(decided.result).toBeUndefined();
    }
  });
});

/** Takes the promise of a member back to what it has accepted. */
function forgetPromise(store: MemoryStore): void {
  const [row] = store.range('meta', { from: 'config/', to: 'config0', limit: 1 });
  const { accepted, ...rest } = JSON.parse(Buffer.from(row!.value).toString());
  const kept = { ...rest, accepted, promised: accepted.ballot };
  store.put('meta', row!.key, Buffer.from(JSON.stringify(kept)));
}
