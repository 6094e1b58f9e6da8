import { describe, expect, test } from 'vitest';
import {
  drawLegs,
  firstLuckyOffset,
  freshFromMs,
  type Legs,
  latencyModels,
  quantile,
  REPLICAS,
} from '../../bench/wars.mjs';
import { drawExponential } from '../../src/api/delay-model.ts';
import { SeededRandom } from '../../src/env/random.ts';

const DRAWS = 200_000;
const draws = (draw: () => number) => Float64Array.from({ length: DRAWS }, draw).sort();
const mean = (values: Float64Array) => values.reduce((sum, value) => sum + value, 0) / values.length;

describe('draws of the latency models', () => {
  test('give the latencies of that paper: the faster of three write round trips, 99.9 % of the time', () => {
    const random = new SeededRandom(4);
    const model = latencyModels(random)['LNKD-DISK'];
    const answered = draws(() => Math.min(...drawLegs(model).map(({ write, ack }) => write + ack)));
    // Its table 4: 10.99, 10.9 and 10.89 ms with W=1.
    expect(quantile(answered, 0.999)).toBeGreaterThan(10.5);
    expect(quantile(answered, 0.999)).toBeLessThan(11.3);
  });
});

describe('when a read sees a write', () => {
  const leg = (write: number, ack: number, read: number, answer: number): Legs => ({ write, ack, read, answer });
  // Answers of the write at 2, 12 and 103 ms; the third replica answers reads first, the first one last.
  const legs = [leg(1, 1, 5, 5), leg(10, 2, 2, 2), leg(100, 3, 1, 1)];

  test('with one reader, it is the one that answers first, and the write has to be there', () => {
    expect(freshFromMs(legs, 1, 1)).toBe(100 - 1 - 2);
    expect(freshFromMs(legs, 1, 2)).toBe(100 - 1 - 12);
  });

  test('with two, either may have it', () => {
    expect(freshFromMs(legs, 2, 1)).toBe(10 - 2 - 2);
  });

  test('with as many readers and writers as must meet, it is always', () => {
    const model = latencyModels(new SeededRandom(5)).YMMR;
    for (const [r, w] of [
      [2, 2],
      [3, 1],
      [1, 3],
    ] as const) {
      expect(r + w).toBeGreaterThan(REPLICAS);
      for (let i = 0; i < 10_000; i++) expect(freshFromMs(drawLegs(model), r, w)).toBeLessThanOrEqual(0);
    }
  });
});

describe('a percentile', () => {
  const thousand = Array.from({ length: 1_000 }, (_, i) => i + 1);

  test('is the least value that the share does not exceed', () => {
    expect(quantile(thousand, 0.999)).toBe(999);
    expect(quantile(thousand, 0.5)).toBe(500);
    expect(quantile(thousand, 1)).toBe(1_000);
  });

  test('is found too early by stopping at the first offset that looks good, the more so the smaller the steps', () => {
    const random = new SeededRandom(6);
    const drawn = draws(() => drawExponential(1, () => random.next()));
    const exact = quantile(drawn, 0.99);
    const sweep = (stepMs: number) =>
      mean(Float64Array.from({ length: 200 }, () => firstLuckyOffset(drawn, 0.99, 10_000, stepMs, random)));
    const fine = sweep(0.01);
    expect(fine).toBeLessThan(exact - 0.05);
    expect(sweep(0.05)).toBeGreaterThan(fine);
  });
});
