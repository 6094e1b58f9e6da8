import { DEFAULT_NODE_LIMITS, type NodeLimits } from '../dynamo/node-settings.ts';
import { DEFAULT_WEB_LIMITS, type WebLimits } from '../web/web-limits.ts';
import { ConfigError } from './config-error.ts';

/**
 * The bounds of one process. Every loop, queue, cache and wait ends at one of these; what raising or lowering one costs
 * stands where it is declared.
 */
export interface Limits {
  readonly web: WebLimits;
  /** Of each storage node. */
  readonly node: NodeLimits;
  /** How long a write that nobody waits for may stay unwritten: longer batches more, and loses more to a crash. */
  readonly lazyFlushMs: number;
  /** How often records of deleted tables are looked for, which a node that was down then has brought back. */
  readonly sweepIntervalMs: number;
  /** How long requests under way get to finish after SIGTERM. Under the second after which the process has to be gone. */
  readonly stopGraceMs: number;
  /** Requests whose traces are kept. 0: none is traced. Each takes about 4 KB. */
  readonly tracesKept: number;
  /** Events of each of them. A PutItem has about twenty, and as many more with every further attempt. */
  readonly traceEventsKept: number;
  /**
   * How long a table is CREATING, UPDATING or DELETING with `delayTransientStatuses`. Long enough for a person's next
   * command to see it; the service itself takes some ten seconds.
   */
  readonly transientStatusMs: number;
}

/** Limits of which any may be left out. */
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
 * Fills in the limits that are not given.
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

/** What is deleted would come back. */
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
    // A timer of NaN milliseconds runs at once, and again, and again.
    if (!(typeof value === 'number' && value >= 0 && value < Number.POSITIVE_INFINITY))
      throw new ConfigError(`${prefix}${name} must be a number from 0, not ${value}`);
  }
  return { ...defaults, ...Object.fromEntries(known) };
}
