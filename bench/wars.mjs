// The WARS model (PBS: Bailis et al., VLDB 2012, section 4.1): a write and a later read of one key are four delays for each
// replica, W to it, A its answer, R to it, S its answer. Which read sees the write follows from these alone. Pure.

/** N of all tables in that paper's section 5. */
export const REPLICAS = 3;

/** A Pareto distribution: none below `xm`. */
export const pareto = (random, xm, alpha) => xm / (1 - random.next()) ** (1 / alpha);

/** An exponential distribution of mean 1 / `lambda`. */
export const exponential = (random, lambda) => -Math.log(1 - random.next()) / lambda;

/** Draws of the first distribution with chance `share`, of the second else. */
const mixed = (random, share, { xm, alpha }, lambda) => {
  return () => (random.next() < share ? pareto(random, xm, alpha) : exponential(random, lambda));
};

/**
 * That paper's fits to production latencies (its table 3), in ms: `write` draws the leg W, `other` A, R and S. `published` is
 * its table 4, by `R,W`; `stepMs` is what that table's digits suggest its times were counted in.
 */
export function latencyModels(random) {
  const ssd = mixed(random, 0.9122, { xm: 0.235, alpha: 10 }, 1.66);
  return {
    'LNKD-SSD': { write: ssd, other: ssd, stepMs: 0.01, published: { '1,1': 1.85, '1,2': 1.79, '2,1': 0 } },
    'LNKD-DISK': {
      write: mixed(random, 0.38, { xm: 1.05, alpha: 1.51 }, 0.183),
      other: ssd,
      stepMs: 0.1,
      published: { '1,1': 45.5, '1,2': 43.3, '2,1': 13.6 },
    },
    YMMR: {
      write: mixed(random, 0.939, { xm: 3, alpha: 3.35 }, 0.0028),
      other: mixed(random, 0.982, { xm: 1.5, alpha: 3.8 }, 0.0217),
      stepMs: 1,
      published: { '1,1': 1364, '1,2': 1352, '2,1': 202 },
    },
  };
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
