import { targetPrefixOf } from '../api/operation-traits.ts';
import { OPERATIONS, type OperationName } from '../api/operations.ts';
import type { HttpResponse } from './http-message.ts';

/** The upper bounds of the latency histogram's buckets, in seconds; one more bucket counts everything above. */
export const LATENCY_BUCKETS_S: readonly number[] = [
  0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10,
];
const LATENCY_BUCKETS_MS = Float64Array.from(LATENCY_BUCKETS_S, (seconds) => seconds * 1000);

/** How many error names are counted separately; one operation has about twenty. */
const MAX_ERRORS = 64;
const OTHER_ERROR = 'other';

/** The counts of one operation since the start. */
export interface OperationTally {
  /** `unknown` counts requests that named no known operation. */
  readonly operation: OperationName | 'unknown';
  /** By status and error name, such as `400 ValidationException`; `200` if there was no error. */
  readonly outcomes: ReadonlyMap<string, number>;
  /** One count for each bucket and one for the rest; not cumulative. */
  readonly latencies: ArrayLike<number>;
  readonly latencySumMs: number;
  readonly receivedBytes: number;
  readonly sentBytes: number;
}

class Tally implements OperationTally {
  readonly operation: OperationName | 'unknown';
  readonly outcomes = new Map<string, number>();
  readonly latencies = new Float64Array(LATENCY_BUCKETS_MS.length + 1);
  latencySumMs = 0;
  receivedBytes = 0;
  sentBytes = 0;
  /** Answers without an error. Most answers are, and counting one here builds no text. */
  successes = 0;

  constructor(operation: OperationName | 'unknown') {
    this.operation = operation;
  }
}

/**
 * Counts requests and their answers in plain numbers, so that the hot path pays only for two clock readings and a few
 * additions. `metrics.ts` makes Prometheus's text from them on request.
 */
export class RequestMeter {
  readonly #elapsedMs: () => number;
  readonly #unknown = new Tally('unknown');
  readonly #tallies: readonly Tally[];
  readonly #byTarget: ReadonlyMap<unknown, Tally>;

  /** @param elapsedMs milliseconds since some moment in the past */
  constructor(elapsedMs: () => number) {
    this.#elapsedMs = elapsedMs;
    const known = OPERATIONS.map((operation) => ({
      target: targetPrefixOf(operation) + operation,
      tally: new Tally(operation),
    }));
    this.#tallies = [...known.map(({ tally }) => tally), this.#unknown];
    this.#byTarget = new Map(known.map(({ target, tally }) => [target, tally]));
  }

  /** Call it when a request begins. @returns the value to pass to `end` */
  begin(): number {
    return this.#elapsedMs();
  }

  /** @param target its X-Amz-Target header */
  end(target: unknown, receivedBytes: number, answer: HttpResponse, beganAtMs: number): void {
    const tally = this.#byTarget.get(target) ?? this.#unknown;
    const ms = this.#elapsedMs() - beganAtMs;
    let bucket = 0;
    while (bucket < LATENCY_BUCKETS_MS.length && ms > LATENCY_BUCKETS_MS[bucket]!) bucket++;
    tally.latencies[bucket]!++;
    tally.latencySumMs += ms;
    tally.receivedBytes += receivedBytes;
    tally.sentBytes += answer.body.length;
    if (answer.status === 200) tally.successes++;
    else countOutcome(tally.outcomes, `${answer.status} ${answer.error ?? OTHER_ERROR}`, answer.status);
  }

  /** The counts of all operations that were requested. */
  tallies(): readonly OperationTally[] {
    return this.#tallies
      .map((tally) => {
        const outcomes = new Map(tally.outcomes);
        if (tally.successes > 0) outcomes.set('200', tally.successes);
        return { ...tally, outcomes };
      })
      .filter(({ outcomes }) => outcomes.size > 0);
  }
}

function countOutcome(outcomes: Map<string, number>, outcome: string, status: number): void {
  const isFull = outcomes.size >= MAX_ERRORS && !outcomes.has(outcome);
  const name = isFull ? `${status} ${OTHER_ERROR}` : outcome;
  outcomes.set(name, (outcomes.get(name) ?? 0) + 1);
}
