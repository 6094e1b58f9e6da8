import { DEFAULT_NODE_LIMITS, type NodeLimits } from '../dynamo/node-settings.ts';
import { DEFAULT_WEB_LIMITS, type WebLimits } from '../web/web-limits.ts';
import { ConfigError } from './config-error.ts';

/**
 * The limits of one process. Every loop, queue, cache and wait is bounded by one of these; the declaration says what
 * raising or lowering it costs.
 */
export interface Limits {
  readonly web: WebLimits;
  /** For each storage node. */
  readonly node: NodeLimits;
  /** How long a write that nobody waits for may stay unwritten. Longer batches more, but loses more in a crash. */
  readonly lazyFlushMs: number;
  /** How often to look for records of deleted tables. A node that was down during the deletion brings them back. */
  readonly sweepIntervalMs: number;
  /**
   * How long requests in progress may take after SIGTERM. Must be below the second after which the process has to be
   * gone.
   */
  readonly stopGraceMs: number;
  /** Requests whose traces are kept. 0: none is traced. Each takes about 4 KB. */
  readonly tracesKept: number;
  /** Events kept for each of them. A PutItem has about twenty, and as many more with every retry. */
  readonly traceEventsKept: number;
  /**
   * How long a table is CREATING, UPDATING or DELETING with `delayTransientStatuses`. It is long enough for a person's
   * next command to see it; the service itself takes some ten seconds.
   */
  readonly transientStatusMs: number;
}

/** The limits, each of which may be left out. */
export type LimitOptions = {
  readonly [Name in keyof Limits]?: Limits[Name] extends number ? number : Partial<Limits[Name]>;
};

const DEFAULT_LIMITS: Limits = {
  web: DEFAULT_WEB_LIMITS,
  node: DEFAULT_NODE_LIMITS,
  lazyFlushMs: 50,
  sweepIntervalMs: 5 * 60_000,
  stopGraceMs: 300,
  tracesKept: 1_000,
  traceEventsKept: 100,
  transientStatusMs: 2_000,
};

/**
 * Completes the given limits with defaults.
 *
 * @throws ConfigError
 */
export function completeLimits({ web, node, ...limits }: LimitOptions): Limits {
  const complete: Limits = {
    ...withDefaults(DEFAULT_LIMITS, limits, 'limits.'),
    web: withDefaults(DEFAULT_WEB_LIMITS, web, 'limits.web.'),
    node: withDefaults(DEFAULT_NODE_LIMITS, node, 'limits.node.'),
  };
  for (const [small, large] of SHORTER_THAN) {
    if (complete.node[small] < complete.node[large]) continue;
    throw new ConfigError(`limits.node.${small} must be below limits.node.${large}`);
  }
  return complete;
}

/** Otherwise deleted records would come back. */
const SHORTER_THAN = [
  ['opLifeMs', 'lineageWindowMs'],
  ['opLifeMs', 'hintLifeMs'],
  ['hintLifeMs', 'tombstoneGraceMs'],
] as const;

/** @param prefix of their names, for errors */
function withDefaults<T extends object>(defaults: T, given: Partial<T> | undefined, prefix: string): T {
  const known = Object.entries<unknown>(given ?? {}).filter(([, value]) => value !== undefined);
  for (const [name, value] of known) {
    if (!(name in defaults)) throw new ConfigError(`there is no ${prefix}${name}`);
    // A timer of NaN milliseconds fires at once, again and again.
    if (!(typeof value === 'number' && value >= 0 && value < Number.POSITIVE_INFINITY))
      throw new ConfigError(`${prefix}${name} must be a number from 0, not ${value}`);
  }
  return { ...defaults, ...Object.fromEntries(known) };
}
