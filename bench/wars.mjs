// The WARS model (PBS: Bailis et al., VLDB 2012, section 4.1): a write and a later read of one key are four delays for
// each replica: W to the replica and A its answer, R to the replica and S its answer. These alone determine which read
// sees the write. Pure functions.
import { DELAY_MODEL_NAMES, delayDistribution, drawDelayMs } from '../dist/api/delay-model.js';

/** N of all tables in that paper's section 5. */
export const REPLICAS = 3;

/** That paper's table 4, by `R,W`; `stepMs` is the resolution that the digits of its times suggest. */
const PUBLISHED = {
  'LNKD-SSD': { stepMs: 0.01, published: { '1,1': 1.85, '1,2': 1.79, '2,1': 0 } },
  'LNKD-DISK': { stepMs: 0.1, published: { '1,1': 45.5, '1,2': 43.3, '2,1': 13.6 } },
  YMMR: { stepMs: 1, published: { '1,1': 1364, '1,2': 1352, '2,1': 202 } },
};

/** Draws of the server's own delay models, in ms: `write` for the leg W, `other` for A, R and S, which are alike. */
export function latencyModels(random) {
  const draw = () => random.next();
  return Object.fromEntries(
    DELAY_MODEL_NAMES.map((name) => {
      const drawLeg = (leg) => drawDelayMs(delayDistribution(name, leg), draw);
      return [name, { write: () => drawLeg('W'), other: () => drawLeg('A'), ...PUBLISHED[name] }];
    }),
  );
}

/** The delays of one write and one read, for each replica. */
export function drawLegs({ write, other }) {
  return Array.from({ length: REPLICAS }, () => ({ write: write(), ack: other(), read: other(), answer: other() }));
}

/**
 * How long after the answer of the write a read must begin to see it. If it is not above zero, every read after the
 * answer sees it. A read takes the first R answers, and sees the write if one of these replicas had it before the read
 * arrived.
 */
export function freshFromMs(legs, readQuorum, writeQuorum) {
  const answeredMs = legs.map(({ write, ack }) => write + ack).sort((a, b) => a - b)[writeQuorum - 1];
  const readers = legs.toSorted((a, b) => a.read + a.answer - (b.read + b.answer)).slice(0, readQuorum);
  return Math.min(...readers.map(({ write, read }) => write - read)) - answeredMs;
}

/** The smallest value of `sorted` that at least this share of all values do not exceed. */
export function quantile(sorted, share) {
  return sorted[Math.ceil(share * sorted.length) - 1];
}

/**
 * The same as it seems to have been published. The authors' simulator (`SWEEP` in their repository
 * pbs-vldb-historical-paper-material) prints the share of fresh reads for offset after offset, each from `draws` new
 * draws; this is the first offset at which the share is reached. Some of the many offsets before the true one reach it
 * by luck, so it is early.
 *
 * @param sorted the results of `freshFromMs` for very many draws
 */
export function firstLuckyOffset(sorted, share, draws, stepMs, random) {
  const allowed = draws * (1 - share);
  let fresh = 0;
  for (let offsetMs = 0; ; offsetMs += stepMs) {
    while (fresh < sorted.length && sorted[fresh] <= offsetMs) fresh++;
    const expected = (draws * (sorted.length - fresh)) / sorted.length;
    // If twice as many are expected, so few never occur.
    if (expected < 2 * allowed && poisson(random, expected) <= allowed) return offsetMs;
  }
}

/** A random count of rare events, with the given mean (Poisson distribution). */
function poisson(random, mean) {
  const below = Math.exp(-mean);
  let count = -1;
  for (let product = 1; product > below; product *= random.next()) count++;
  return count;
}
