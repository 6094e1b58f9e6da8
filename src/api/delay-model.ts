import type { DelayModelName } from './fault-rule.ts';

/** The four messages of the WARS model: a write to a replica, its acknowledgement, a read to it, its answer. */
export type Leg = 'W' | 'A' | 'R' | 'S';

interface Pareto {
  /** The least value, in ms. */
  readonly xm: number;
  readonly alpha: number;
}

/**
 * Delays in ms: with probability `share` drawn from the Pareto distribution, else from the exponential one of rate
 * `lambda`.
 */
export interface DelayDistribution {
  /** 0 to 1. */
  readonly share: number;
  readonly pareto: Pareto;
  /** Per ms. */
  readonly lambda: number;
}

const SSD: DelayDistribution = { share: 0.9122, pareto: { xm: 0.235, alpha: 10 }, lambda: 1.66 };

/** Fits to one-way delays of production systems, in ms (PBS: Bailis et al., VLDB 2012, table 3). */
const MODELS: Readonly<
  Record<DelayModelName, { readonly write: DelayDistribution; readonly other: DelayDistribution }>
> = {
  'LNKD-SSD': { write: SSD, other: SSD },
  'LNKD-DISK': { write: { share: 0.38, pareto: { xm: 1.05, alpha: 1.51 }, lambda: 0.183 }, other: SSD },
  YMMR: {
    write: { share: 0.939, pareto: { xm: 3, alpha: 3.35 }, lambda: 0.0028 },
    other: { share: 0.982, pareto: { xm: 1.5, alpha: 3.8 }, lambda: 0.0217 },
  },
};

export const DELAY_MODEL_NAMES = Object.keys(MODELS) as readonly DelayModelName[];

/** How long one message takes. */
export function delayDistribution(model: DelayModelName, leg: Leg): DelayDistribution {
  return leg === 'W' ? MODELS[model].write : MODELS[model].other;
}

/**
 * One delay in ms; the exponential part has no upper bound.
 * @param draw uniform in [0, 1); called twice
 */
export function drawDelayMs({ share, pareto, lambda }: DelayDistribution, draw: () => number): number {
  return draw() < share ? drawPareto(pareto, draw) : drawExponential(lambda, draw);
}

/** How long a request waits for one replica, there and back, in ms. */
export function drawRoundTripMs(model: DelayModelName, access: 'read' | 'write', draw: () => number): number {
  const [there, back] = access === 'write' ? (['W', 'A'] as const) : (['R', 'S'] as const);
  return drawDelayMs(delayDistribution(model, there), draw) + drawDelayMs(delayDistribution(model, back), draw);
}

/** At least `xm`. */
export function drawPareto({ xm, alpha }: Pareto, draw: () => number): number {
  return xm / (1 - draw()) ** (1 / alpha);
}

/** The mean is 1 / `lambda`. */
export function drawExponential(lambda: number, draw: () => number): number {
  return -Math.log(1 - draw()) / lambda;
}
