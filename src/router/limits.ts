/** What one router keeps in memory. */
export interface RouterLimits {
  /**
   * Definitions of tables at hand, some KB each. A request to any other table costs one more read and write of the cluster.
   */
  readonly maxCachedTables: number;
}

/** The service lets an account have 10,000 tables in a region at most. */
export const DEFAULT_ROUTER_LIMITS: RouterLimits = { maxCachedTables: 10_000 };

/** A request is compared with each of them. */
export const MAX_FAULT_RULES = 1_000;

/** Tables whose place in storage one staleness rule remembers; of others it works it out for each record. */
export const MAX_REMEMBERED_PREFIXES = 1_000;

/** Tables whose consumption is counted; the one that was used longest ago begins anew. */
export const MAX_THROTTLED_TABLES = 10_000;

/**
 * Partition keys whose consumption is counted, reads and writes apart: up to 2 KB each. A key that is used again after so
 * many others may consume a second's worth too much.
 */
export const MAX_THROTTLED_PARTITION_KEYS = 10_000;
