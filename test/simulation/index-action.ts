import type { ByteString, EncodedKey } from '../../src/api/primary-key.ts';
import type { SecondaryIndex } from '../../src/api/table-definition.ts';
import type { ReadFrom, SortKeyBound } from '../../src/dynamo/client.ts';
import { prefixEnd } from '../../src/dynamo/keyspace.ts';
import { type Random, randomBelow } from '../../src/env/random.ts';
import type { KeyOrder } from '../../src/env/store.ts';
import type { IndexedItems } from './indexed-items.ts';
import type { RegisterValue } from './linearizability.ts';

/** Reads entries of one partition key of a global index. */
export interface IndexQuery {
  readonly kind: 'index-query';
  readonly index: SecondaryIndex;
  readonly partition: string;
  readonly limit: number;
  readonly from: Exclude<ReadFrom, 'latest'>;
  readonly order: KeyOrder;
}

/** Reads items of a collection in the order of its local index. */
export interface LocalQuery {
  readonly kind: 'local-query';
  readonly limit: number;
  readonly from: Exclude<ReadFrom, 'laggard'>;
  readonly order: KeyOrder;
  /** Places in the index; undefined: from its beginning, or to its end. */
  readonly lower: SortKeyBound | undefined;
  readonly upper: SortKeyBound | undefined;
}

/** @param lags whether replicas may be held back */
export function drawIndexQuery(random: Random, items: IndexedItems, lags: boolean): IndexQuery {
  const { globals } = items;
  const index = globals[randomBelow(random, globals.length)]!;
  const choices = index.name === 'by-g' ? 'ab' : 'xy';
  return {
    kind: 'index-query',
    index,
    partition: choices[randomBelow(random, 2)]!,
    limit: 1 + randomBelow(random, 4),
    from: lags && random.next() < 0.5 ? 'laggard' : 'committed',
    order: random.next() < 0.5 ? 'backward' : 'forward',
  };
}

/** @param places of items in the index, at which a query may begin or end as the next page of another does */
export function drawLocalQuery(random: Random, items: IndexedItems, places: readonly ByteString[]): LocalQuery {
  const drawPlace = () => places[randomBelow(random, places.length)]!;
  const chance = { lower: random.next(), upper: random.next() };
  const [low, high] = [randomBelow(random, 3), randomBelow(random, 3)].sort();
  let lower: SortKeyBound | undefined;
  let upper: SortKeyBound | undefined;
  if (chance.lower < 0.3) lower = { sortKey: items.localPlaces(String(low)), isInclusive: true };
  else if (chance.lower < 0.5 && places.length > 0) lower = { sortKey: drawPlace(), isInclusive: false };
  if (chance.upper < 0.3) upper = { sortKey: prefixEnd(items.localPlaces(String(high))), isInclusive: false };
  else if (chance.upper < 0.5 && places.length > 0) upper = { sortKey: drawPlace(), isInclusive: false };
  return {
    kind: 'local-query',
    limit: 1 + randomBelow(random, 3),
    from: random.next() < 0.8 ? 'latest' : 'committed',
    order: random.next() < 0.5 ? 'backward' : 'forward',
    lower,
    upper,
  };
}

/**
 * Whether an item with this value would have been shown by a query.
 * @param last the place up to which the query got, if it did not get to its end
 */
export function isShownBy(
  { lower, upper, order }: LocalQuery,
  items: IndexedItems,
  {
    key,
    value,
    last,
  }: { readonly key: EncodedKey; readonly value: RegisterValue; readonly last: ByteString | undefined },
): boolean {
  const place = value === null ? undefined : items.localPlace(key, value);
  if (place === undefined) return false;
  if (lower !== undefined && (place < lower.sortKey || (!lower.isInclusive && place === lower.sortKey))) return false;
  if (upper !== undefined && (place > upper.sortKey || (!upper.isInclusive && place === upper.sortKey))) return false;
  if (last === undefined) return true;
  return order === 'forward' ? place <= last : place >= last;
}

export function showQuery(query: IndexQuery | LocalQuery): string {
  const how = `${query.from === 'latest' ? '' : `${query.from} `}${query.kind} of ${query.limit} ${query.order}`;
  if (query.kind === 'index-query') return `${how} in ${query.index.name} of ${query.partition}`;
  const show = (bound: SortKeyBound | undefined) =>
    bound === undefined
      ? '..'
      : `${bound.sortKey.slice(0, 1)}${bound.sortKey.length > 9 ? `${bound.sortKey.slice(9, 17)}` : ''}`;
  return `${how} from ${show(query.lower)} to ${show(query.upper)}`;
}
