import type { ByteString } from '../../api/primary-key.ts';
import type { StoreKey } from '../../env/store.ts';
import type { LagPlace } from '../client.ts';
import { collectionOf, collectionPrefix, storeKeyOf, tableOf } from '../keyspace.ts';

interface Parts {
  readonly collections: Set<StoreKey>;
  readonly items: Set<StoreKey>;
}

/**
 * The places of one rule as one replica looks them up: a record costs at most three look-ups in a map or a set, however
 * many places the rule has.
 */
export class LagScope {
  readonly #places: readonly LagPlace[];
  readonly #partitions: number;
  /** Made for the first record, as a rule may change many times before one comes. */
  #byTable: ReadonlyMap<ByteString, Parts | 'all'> | undefined;

  /** @param partitions Q */
  constructor(places: readonly LagPlace[], partitions: number) {
    this.#places = places;
    this.#partitions = partitions;
  }

  includes(key: StoreKey): boolean {
    this.#byTable ??= indexed(this.#places, this.#partitions);
    const found = this.#byTable.get(tableOf(key));
    if (found === undefined || found === 'all') return found === 'all';
    return found.items.has(key) || found.collections.has(collectionOf(key));
  }
}

function indexed(places: readonly LagPlace[], partitions: number): ReadonlyMap<ByteString, Parts | 'all'> {
  const byTable = new Map<ByteString, Parts | 'all'>();
  const partsOf = (table: ByteString): Parts | undefined => {
    const known = byTable.get(table) ?? { collections: new Set(), items: new Set() };
    byTable.set(table, known);
    return known === 'all' ? undefined : known;
  };
  for (const place of places) {
    switch (place.kind) {
      case 'table':
        byTable.set(place.table, 'all');
        break;
      case 'collection':
        partsOf(place.table)?.collections.add(collectionPrefix(place.table, place.partitionKey, partitions));
        break;
      case 'propagation':
        // What is held before it is sent: `PropagationHold`.
        break;
      case 'item':
        partsOf(place.key.table)?.items.add(storeKeyOf(place.key, partitions));
    }
  }
  return byTable;
}
