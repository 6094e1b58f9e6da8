/** What one comparison exchanged and repaired. Bytes are those of hashes, key digests and records, without what a wire adds. */
export interface ExchangeReport {
  hashesExchanged: number;
  bytesExchanged: number;
  recordsRepaired: number;
}

/** What several came to. */
export interface RepairTotal extends ExchangeReport {
  /** Comparisons of one partition with one other replica that came to their end. */
  partitions: number;
}

/** Counts one comparison that came to its end. */
export function addTo(total: RepairTotal, report: ExchangeReport): void {
  total.partitions++;
  total.hashesExchanged += report.hashesExchanged;
  total.bytesExchanged += report.bytesExchanged;
  total.recordsRepaired += report.recordsRepaired;
}
