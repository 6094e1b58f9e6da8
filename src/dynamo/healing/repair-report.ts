/**
 * What a comparison exchanged and repaired. Bytes are those of hashes, key digests and records, without what a wire
 * adds.
 */
export interface ComparisonReport {
  readonly hashesExchanged: number;
  readonly bytesExchanged: number;
  readonly recordsRepaired: number;
}

/** The sum of several comparisons. */
export interface RepairTotal extends ComparisonReport {
  /** Comparisons of one partition with one other replica that came to their end. */
  readonly partitions: number;
}

export const NOTHING_EXCHANGED: ComparisonReport = { hashesExchanged: 0, bytesExchanged: 0, recordsRepaired: 0 };
export const NOTHING_REPAIRED: RepairTotal = { ...NOTHING_EXCHANGED, partitions: 0 };

/** The sum of two parts of a comparison. */
export function sumOf(a: ComparisonReport, b: ComparisonReport): ComparisonReport {
  return {
    hashesExchanged: a.hashesExchanged + b.hashesExchanged,
    bytesExchanged: a.bytesExchanged + b.bytesExchanged,
    recordsRepaired: a.recordsRepaired + b.recordsRepaired,
  };
}

/** Adds one comparison that came to its end. */
export function withComparison(total: RepairTotal, report: ComparisonReport): RepairTotal {
  return { ...sumOf(total, report), partitions: total.partitions + 1 };
}
