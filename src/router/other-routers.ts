import type { Table } from '../api/table-definition.ts';

/** How long the definitions of a router are used that is not the only one, and may not hear of changes. */
export const FRESH_MS = 5 * 60_000;

/** What a router that is not the only one of its cluster knows of the others. */
export interface OtherRouters {
  /**
   * Tells all other routers that the definition under a name has changed or is gone. Those that do not answer are not waited
   * for: they find out by the fence of a deleted table, and read each definition anew after some minutes.
   * @returns whether all of them have dropped what they had; after 200 ms at the latest
   */
  tellChanged(place: Pick<Table, 'namespace' | 'name'>): Promise<boolean>;
  /** A time that only grows, in ms. */
  elapsedMs(): number;
  /** Milliseconds since 1970. */
  nowMs(): number;
}

/** How long a request may take that a router has begun by a definition, unless its settings say more. */
const REQUEST_LIFE_MS = 6_000;

/**
 * In how many ms no router goes by an older definition of a table any more than the stored one, and none of its requests is
 * under way: an index is filled only then (docs/protocol.md section 14.4).
 *
 * @param others undefined: there are none
 * @param requestLifeMs how long a request may take that another router has begun by a definition: the life of an operation,
 *   and what its client waits for the answer beyond that
 */
export async function olderInUseMs(
  others: OtherRouters | undefined,
  place: Pick<Table, 'namespace' | 'name'>,
  requestLifeMs = REQUEST_LIFE_MS,
): Promise<number> {
  if (others === undefined) return 0;
  return (await others.tellChanged(place)) ? requestLifeMs : FRESH_MS + requestLifeMs;
}
