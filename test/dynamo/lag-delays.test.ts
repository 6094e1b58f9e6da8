import { expect, test } from 'vitest';
import { delayDistribution } from '../../src/api/delay-model.ts';
import type { LagDelay, LagRule } from '../../src/dynamo/client.ts';
import { LagDelays } from '../../src/dynamo/registers/lag-delays.ts';

const drawn = (seed: number): LagDelay => ({ kind: 'drawn', distribution: delayDistribution('YMMR', 'W'), seed });
const ruleOf = (delay: LagDelay, id = 'rule'): LagRule => ({ id, scope: [], release: { kind: 'after', delay } });

/** The delays that a node draws for a rule. */
function sequence(delays: LagDelays, delay: LagDelay, { id = 'rule', count = 20 } = {}): number[] {
  return Array.from({ length: count }, () => delays.next(ruleOf(delay, id), delay));
}

test('a constant delay is the same each time', () => {
  expect(sequence(new LagDelays('node-1'), { kind: 'constant', delayMs: 70 }, { count: 2 })).toEqual([70, 70]);
});

test('a seed decides what a node draws', () => {
  const draws = sequence(new LagDelays('node-1'), drawn(1));
  expect(sequence(new LagDelays('node-1'), drawn(1))).toEqual(draws);
  expect(sequence(new LagDelays('node-1'), drawn(2))).not.toEqual(draws);
  expect(sequence(new LagDelays('node-2'), drawn(1))).not.toEqual(draws);
  // The disk is another one in each new cluster.
  const ofDisk = (node: string) => sequence(new LagDelays(node), drawn(1));
  expect(ofDisk('a.00000000000f')).toEqual(ofDisk('a.0000000000ff'));
  expect(ofDisk('b.00000000000f')).not.toEqual(ofDisk('a.00000000000f'));
});

test('rules draw apart from one another, and go on where they were', () => {
  const draws = sequence(new LagDelays('node-1'), drawn(1), { count: 20 });
  const delays = new LagDelays('node-1');
  const first = sequence(delays, drawn(1), { count: 10 });
  sequence(delays, drawn(1), { id: 'other' });
  expect([...first, ...sequence(delays, drawn(1), { count: 10 })]).toEqual(draws);
});

test('draws are those of the distribution', () => {
  const draws = sequence(new LagDelays('node-1'), drawn(1), { count: 1_000 });
  expect(new Set(draws).size).toBeGreaterThan(900);
  // YMMR has long delays in one write of sixteen.
  expect(draws.filter((ms) => ms > 60).length).toBeGreaterThan(30);
});

test('the rule used longest ago begins anew beyond a thousand', () => {
  const delays = new LagDelays('node-1');
  const [first, second] = sequence(delays, drawn(1), { count: 2 });
  for (let i = 0; i < 999; i++) sequence(delays, drawn(1), { id: `other-${i}`, count: 1 });
  const [third] = sequence(delays, drawn(1), { count: 1 });
  expect([first, second]).not.toContain(third);
  for (let i = 0; i < 1_000; i++) sequence(delays, drawn(1), { id: `other-${i}`, count: 1 });
  expect(sequence(delays, drawn(1), { count: 1 })).toEqual([first]);
});
