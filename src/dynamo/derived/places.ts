import type { AttributeMap } from '../../api/attribute-value.ts';
import { equalValues } from '../../api/attribute-value.ts';
import type { Derivation } from '../../api/derivation.ts';
import { entryPartitionKey, entrySortKey, localSortKey } from '../../api/entry-place.ts';
import { indexEntry, projectedNames } from '../../api/index-entry.ts';
import { type ItemImage, sizeOf } from '../../api/item.ts';
import { PartReader } from '../../api/item-part.ts';
import type { ByteString, EncodedKey } from '../../api/primary-key.ts';
import type { SecondaryIndex } from '../../api/table-definition.ts';
import type { StoreKey } from '../../env/store.ts';
import { collectionPrefix, sortKeyOf, tableOf } from '../keyspace.ts';
import type { Derived } from './derived-section.ts';

/*
 * Where an item is in the indexes of its table, and what they keep of it. Pure. A write of a table with indexes asks for it, so
 * no more of the item is parsed than they name, and nothing is hashed that was hashed for the record before.
 */

/** An item, as far as indexes are made of it. */
export interface IndexedItem {
  readonly image: ItemImage;
  /** The attributes that some index names, and those of an index that projects all only if another one names them. */
  readonly part: AttributeMap;
}

/** Where a global index has the entry of an item. */
export interface EntryPlace {
  readonly key: StoreKey;
  /** That of the entry in its index. */
  readonly partitionKey: ByteString;
  /** The very `part` of the item if the index projects all. */
  readonly entry: AttributeMap;
}

/** Where an item is in the indexes of its table. */
export interface Places {
  readonly globals: readonly EntryPlace[];
  readonly local: Derived['local'];
  readonly localBytes: number;
}

export const NOWHERE: Places = { globals: [], local: [], localBytes: 0 };

/** The key of an item. */
export interface PlacedKey {
  readonly key: StoreKey;
  readonly partitionKey: ByteString;
  /** Q */
  readonly partitions: number;
}

/** The record before, if it has entries: a place in an index depends on the key attributes alone. */
export interface EarlierPlaces {
  readonly part: AttributeMap;
  readonly entries: readonly StoreKey[];
}

/** What is asked of a derivation with each write. */
interface Shape {
  readonly reader: PartReader;
  readonly globals: readonly SecondaryIndex[];
}

const SHAPES = new WeakMap<Derivation, Shape>();

function shapeOf(derivation: Derivation): Shape {
  let shape = SHAPES.get(derivation);
  if (shape === undefined) {
    const { indexes } = derivation;
    const names = indexes.flatMap((index) => [...projectedNames(derivation, index)]);
    const globals = indexes.filter(({ kind, storageId }) => kind === 'global' && storageId !== undefined);
    shape = { reader: new PartReader(names), globals };
    SHAPES.set(derivation, shape);
  }
  return shape;
}

/** The global indexes whose entries the nodes keep: those of a `dynamo` table have no id. */
export function globalsOf(derivation: Derivation): readonly SecondaryIndex[] {
  return shapeOf(derivation).globals;
}

/** What the indexes of a derivation name of an item. */
export function partOf(image: ItemImage, derivation: Derivation): AttributeMap {
  return shapeOf(derivation).reader.read(image);
}

/** @param earlier undefined: nothing is known that may be used again */
export function placesOf(
  item: IndexedItem,
  derivation: Derivation,
  placed: PlacedKey,
  earlier?: EarlierPlaces,
): Places {
  const itemKey = { partitionKey: placed.partitionKey, sortKey: sortKeyOf(placed.key) };
  const globals: EntryPlace[] = [];
  const local: (ByteString | undefined)[] = [];
  let localBytes = 0;
  for (const index of derivation.indexes) {
    const entry = indexEntry(derivation, index, item.part);
    if (index.kind === 'local') {
      local.push(entry && localSortKey(index, entry, itemKey));
      localBytes += entry === undefined ? 0 : entryBytes(entry, item);
    } else if (index.storageId !== undefined && entry !== undefined) {
      const partitionKey = entryPartitionKey(index, entry);
      const known = earlier && placeBefore(index, entry, earlier);
      const key = known ?? entryKey(index, { entry, partitionKey, itemKey, partitions: placed.partitions });
      globals.push({ key, partitionKey, entry });
    }
  }
  return { globals, local, localBytes };
}

/** The size of an item's entry in each local index of its table, by the number of the index; 0 if it is not in it. */
export function localSizesOf(image: ItemImage, derivation: Derivation): readonly number[] {
  const item = { image, part: partOf(image, derivation) };
  const sizes: number[] = [];
  for (const index of derivation.indexes) {
    if (index.kind !== 'local') continue;
    const entry = indexEntry(derivation, index, item.part);
    sizes.push(entry === undefined ? 0 : entryBytes(entry, item));
  }
  return sizes;
}

/** The size of an item's entries in the local indexes of its table. */
export function localBytesOf(image: ItemImage, derivation: Derivation): number {
  let bytes = 0;
  for (const size of localSizesOf(image, derivation)) bytes += size;
  return bytes;
}

export function isSameAttribute(one: AttributeMap, other: AttributeMap, name: string): boolean {
  const [has, hasOther] = [Object.hasOwn(one, name), Object.hasOwn(other, name)];
  return has === hasOther && (!has || equalValues(one[name]!, other[name]!));
}

function entryBytes(entry: AttributeMap, { image, part }: IndexedItem): number {
  return entry === part ? image.size : sizeOf(entry);
}

/** An entry, and what says where it is. */
interface Entry {
  readonly entry: AttributeMap;
  readonly partitionKey: ByteString;
  readonly itemKey: EncodedKey;
  readonly partitions: number;
}

function entryKey(index: SecondaryIndex, { entry, partitionKey, itemKey, partitions }: Entry): StoreKey {
  return collectionPrefix(index.storageId!, partitionKey, partitions) + entrySortKey(index, entry, itemKey);
}

/** Where the entry was before, if it has the same key in the index. */
function placeBefore(index: SecondaryIndex, entry: AttributeMap, { part, entries }: EarlierPlaces) {
  const { partition, sort } = index.key;
  for (const { name } of partition) if (!isSameAttribute(part, entry, name)) return undefined;
  for (const { name } of sort) if (!isSameAttribute(part, entry, name)) return undefined;
  return entries.find((key) => tableOf(key) === index.storageId);
}
