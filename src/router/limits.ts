/** What one router keeps in memory. */
export interface RouterLimits {
  /**
   * Definitions of tables at hand, some KB each. A request to any other table costs one more read and write of the cluster.
   */
  readonly maxCachedTables: number;
}

/** The service lets an account have 10,000 tables in a region at most. */
export const DEFAULT_ROUTER_LIMITS: RouterLimits = { maxCachedTables: 10_000 };
