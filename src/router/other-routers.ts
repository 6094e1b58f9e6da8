import type { Table } from '../api/table-definition.ts';

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
