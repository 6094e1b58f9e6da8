// The WARS model (PBS: Bailis et al., VLDB 2012, section 4.1): a write and a later read of one key are four delays for each
// replica, W to it, A its answer, R to it, S its answer. Which read sees the write follows from these alone. Pure.
import { DELAY_MODEL_NAMES, drawDelayMs } from '../dist/api/delay-model.js';

/** N of all tables in that paper's section 5. */
export const REPLICAS = 3;

/** That paper's table 4, by `R,W`; `stepMs` is what its digits suggest its times were counted in. */
const PUBLISHED = {
  'LNKD-SSD': { stepMs: 0.01, published: { '1,1': 1.85, '1,2': 1.79, '2,1': 0 } },
  'LNKD-DISK': { stepMs: 0.1, published: { '1,1': 45.5, '1,2': 43.3, '2,1': 13.6 } },
  YMMR: { stepMs: 1, published: { '1,1': 1364, '1,2': 1352, '2,1': 202 } },
};

/** Draws of the server's own delay models, in ms: `write` of the leg W, `other` of A, R and S, which are alike. */
export function latencyModels(random) {
  const draw = () => random.next();
  return Object.fromEntries(
    DELAY_MODEL_NAMES.map((name) => [
      name,
      { write: () => drawDelayMs(name, 'W', draw), other: () => drawDelayMs(name, 'A', draw), ...PUBLISHED[name] },
    ]),
  );
}

/** The delays of one write and one read, for each replica. */
export function drawLegs({ write, other }) {
  return Array.from({ length: REPLICAS }, () => ({ write: write(), ack: other(), read: other(), answer: other() }));
}

/**
 * How long after the answer of the write a read must begin to see it. Not above zero: every read does that begins after
 * the answer. It reads from the first R to answer, and sees the write if it comes to one of them after the write did.
 */
export function freshFromMs(legs, readQuorum, writeQuorum) {
  const answeredMs = legs.map(({ write, ack }) => write + ack).sort((a, b) => a - b)[writeQuorum - 1];
  const readers = legs.toSorted((a, b) => a.read + a.answer - (b.read + b.answer)).slice(0, readQuorum);
  return Math.min(...readers.map(({ write, read }) => write - read)) - answeredMs;
}

/** The least of `sorted` that at least this share of all do not exceed. */
export function quantile(sorted, share) {
  return sorted[Math.ceil(share * sorted.length) - 1];
}

/**
 * The same as it seems to have been published. The authors' simulator (`SWEEP` in their repository
 * pbs-vldb-historical-paper-material) prints the share of fresh reads for offset after offset, each from `draws` new draws;
 * this is the first offset at which the share is reached. Of the many before the true one some are lucky, so it is early.
 *
 * @param sorted what `freshFromMs` gave for very many draws
 */
export function firstLuckyOffset(sorted, share, draws, stepMs, random) {
  const allowed = draws * (1 - share);
  let fresh = 0;
  for (let offsetMs = 0; ; offsetMs += stepMs) {
    while (fresh < sorted.length && sorted[fresh] <= offsetMs) fresh++;
    const expected = (draws * (sorted.length - fresh)) / sorted.length;
    // With twice as many to be expected, so few are never seen.
    if (expected < 2 * allowed && poisson(random, expected) <= allowed) return offsetMs;
  }
}

/** How often something rare happens that happens `mean` times on average. */
function poisson(random, mean) {
  const below = Math.exp(-mean);
  let count = -1;
  for (let product = 1; product > below; product *= random.next()) count++;
  return count;
}
