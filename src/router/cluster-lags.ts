import { namedTables, OPERATION_TRAITS } from '../api/operation-traits.ts';
import type { ByteString } from '../api/primary-key.ts';
import type { LagPlace, LagRule } from '../dynamo/client.ts';
import { placesOfRule, releaseOf } from './fault-lag.ts';
import type { FaultRequest } from './fault-scope.ts';
import { DELAY_SALT } from './rule-in-force.ts';
import { isPlaced, type SharedRule, type SharedRules, withPlaces } from './shared-rules.ts';
import type { StorageDescription } from './table-cache.ts';

/** The tables that requests name. */
export interface NamedTables {
  /** @returns the table if it is at hand. The same object until its definition changes */
  cached(namespace: string, tableName: string): StorageDescription | undefined;
  /**
   * @param tableName a name or an ARN
   * @returns undefined if there is no such table, or that cannot be told now
   */
  find(namespace: string, tableName: string): Promise<StorageDescription | undefined>;
}

interface LagsOfClusterParts {
  readonly tables: NamedTables;
  /** As `ClusterFaults` changes rules: all processes that are there go by the change when it resolves. */
  readonly edit: (change: (shared: SharedRules) => SharedRules) => Promise<unknown>;
  readonly newEdit: () => string;
  readonly onLagChange: (rules: readonly LagRule[]) => void;
  readonly onFailure: (error: unknown) => void;
}

interface PlacedStaleness {
  readonly shared: SharedRule;
  /** The JSON of its places. */
  readonly text: string;
  readonly lag: LagRule;
  readonly placesIn: (table: StorageDescription) => readonly LagPlace[];
}

/**
 * The staleness rules of a cluster, as one of its processes keeps them. Nodes know tables by their storage ids alone, and
 * the process of a node need not know a table that it holds items of. So whichever router is about to write to a table
 * that a rule is for, first has the places of it added to the rule, and all nodes told.
 */
export class LagsOfCluster {
  readonly #parts: LagsOfClusterParts;
  /** By id, in the order in which they came. */
  #rules: ReadonlyMap<string, PlacedStaleness> = new Map();
  /** Tables whose places all of these rules have. */
  #placed = new WeakSet<StorageDescription>();
  /** By storage id, the tables that are being added. */
  readonly #placing = new Map<ByteString, Promise<void>>();

  constructor(parts: LagsOfClusterParts) {
    this.#parts = parts;
  }

  /** @param rules those in force here, of all kinds */
  follow(rules: readonly SharedRule[]): void {
    const before = this.#rules;
    const kept = rules.flatMap((shared) => {
      const staleness = stalenessOf(shared, before.get(shared.id));
      return staleness === undefined ? [] : [[shared.id, staleness] as const];
    });
    const isSame = kept.length === before.size && kept.every(([id, staleness]) => before.get(id) === staleness);
    if (isSame) return;
    this.#rules = new Map(kept);
    this.#placed = new WeakSet();
    this.#parts.onLagChange(kept.map(([, { lag }]) => lag));
  }

  /** To be awaited before a request is carried out that may change a table. @returns undefined if nothing is to be done */
  prepare({ operation, request, namespace }: FaultRequest): Promise<void> | undefined {
    if (this.#rules.size === 0 || namespace === undefined || OPERATION_TRAITS[operation].access !== 'write') {
      return undefined;
    }
    const { tables } = this.#parts;
    const missing = namedTables(operation, request).filter((name) => {
      const table = tables.cached(namespace, name);
      return table === undefined || !this.#placed.has(table);
    });
    return missing.length === 0 ? undefined : this.#place(namespace, missing);
  }

  async #place(namespace: string, names: readonly string[]): Promise<void> {
    for (const name of names) {
      const table = await this.#parts.tables.find(namespace, name);
      if (table === undefined) continue;
      if (!this.#isPlaced(table)) await this.#addPlaces(table);
      if (this.#isPlaced(table)) this.#placed.add(table);
    }
  }

  #isPlaced(table: StorageDescription): boolean {
    return [...this.#rules.values()].every(({ shared, placesIn }) =>
      isPlaced(shared, table.storageId, placesIn(table)),
    );
  }

  #addPlaces(table: StorageDescription): Promise<void> {
    const { storageId } = table;
    const underWay = this.#placing.get(storageId);
    if (underWay !== undefined) return underWay;
    const { edit, newEdit, onFailure } = this.#parts;
    const placesOf = ({ id }: SharedRule) => this.#rules.get(id)?.placesIn(table) ?? [];
    const placing = edit((shared) => withPlaces(shared, storageId, placesOf, newEdit()))
      // The request goes on: a rule must not fail what it is not for.
      .then(() => {}, onFailure)
      .finally(() => this.#placing.delete(storageId));
    this.#placing.set(storageId, placing);
    return placing;
  }
}

function stalenessOf(shared: SharedRule, before: PlacedStaleness | undefined): PlacedStaleness | undefined {
  const { id, rule, places } = shared;
  if (rule.kind !== 'staleness') return undefined;
  const text = JSON.stringify(places);
  if (before?.text === text) return before;
  const scope = places.flatMap((each) => each.places);
  const release = before?.lag.release ?? releaseOf(rule, rule.seed ^ DELAY_SALT);
  return { shared, text, lag: { id, scope, release }, placesIn: before?.placesIn ?? placesOfRule(rule) };
}
