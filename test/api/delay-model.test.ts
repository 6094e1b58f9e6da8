import { describe, expect, test } from 'vitest';
import {
  delayDistribution,
  drawDelayMs,
  drawExponential,
  drawPareto,
  drawRoundTripMs,
} from '../../src/api/delay-model.ts';
import type { DelayModelName } from '../../src/api/fault-rule.ts';
import { SeededRandom } from '../../src/env/random.ts';

const DRAWS = 200_000;
const seeded = (seed: number) => {
  const random = new SeededRandom(seed);
  return () => random.next();
};
const draws = (draw: () => number) => Float64Array.from({ length: DRAWS }, draw).sort();
const mean = (values: Float64Array) => values.reduce((sum, value) => sum + value, 0) / values.length;
const quantile = (sorted: Float64Array, share: number) => sorted[Math.ceil(share * sorted.length) - 1]!;

test('draws of a Pareto distribution have its mean, its least value and its median', () => {
  const draw = seeded(1);
  const drawn = draws(() => drawPareto({ xm: 3, alpha: 3.35 }, draw));
  expect(mean(drawn)).toBeCloseTo((3.35 * 3) / 2.35, 1);
  expect(drawn[0]).toBeGreaterThanOrEqual(3);
  expect(quantile(drawn, 0.5)).toBeCloseTo(3 * 2 ** (1 / 3.35), 1);
});

test('draws of an exponential distribution have its mean and its 99.9th percentile', () => {
  const draw = seeded(2);
  const drawn = draws(() => drawExponential(1.66, draw));
  expect(mean(drawn)).toBeCloseTo(1 / 1.66, 2);
  expect(quantile(drawn, 0.999)).toBeCloseTo(Math.log(1_000) / 1.66, 0);
});

interface Fit {
  readonly share: number;
  readonly xm: number;
  readonly alpha: number;
  readonly lambda: number;
}

/** PBS, table 3, as published. */
const SSD: Fit = { share: 0.9122, xm: 0.235, alpha: 10, lambda: 1.66 };
const FITS: readonly [model: DelayModelName, leg: 'W' | 'A' | 'R' | 'S', fit: Fit][] = [
  ['LNKD-SSD', 'W', SSD],
  ['LNKD-SSD', 'A', SSD],
  ['LNKD-DISK', 'W', { share: 0.38, xm: 1.05, alpha: 1.51, lambda: 0.183 }],
  ['LNKD-DISK', 'R', SSD],
  ['YMMR', 'W', { share: 0.939, xm: 3, alpha: 3.35, lambda: 0.0028 }],
  ['YMMR', 'S', { share: 0.982, xm: 1.5, alpha: 3.8, lambda: 0.0217 }],
];

describe.each(FITS)('leg %s %s', (model, leg, { share, xm, alpha, lambda }) => {
  test('is beyond any bound as often as its parts say', () => {
    const draw = seeded(3);
    const drawn = draws(() => drawDelayMs(delayDistribution(model, leg), draw));
    for (const factor of [0.5, 1.01, 1.5, 3, 20]) {
      const ms = xm * factor;
      const expected = share * Math.min(1, (xm / ms) ** alpha) + (1 - share) * Math.exp(-lambda * ms);
      const found = drawn.filter((each) => each > ms).length / DRAWS;
      // Four standard deviations of a share.
      expect(Math.abs(found - expected), `beyond ${ms} ms`).toBeLessThan(4 * Math.sqrt(0.25 / DRAWS));
    }
  });
});

test('a round trip is the legs of its kind', () => {
  // No chance: the Pareto part each time, at its least.
  const least = () => 0;
  expect(drawRoundTripMs('YMMR', 'write', least)).toBe(3 + 1.5);
  expect(drawRoundTripMs('YMMR', 'read', least)).toBe(1.5 + 1.5);
  expect(drawRoundTripMs('LNKD-DISK', 'write', least)).toBe(1.05 + 0.235);
});
