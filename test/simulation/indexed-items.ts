import type { AttributeMap } from '../../src/api/attribute-value.ts';
import type { Derivation, DerivedStream } from '../../src/api/derivation.ts';
import { entryPartitionKey, entrySortKey, grouped, localSortKey } from '../../src/api/entry-place.ts';
import type { ItemImage } from '../../src/api/item.ts';
import type { ByteString, EncodedKey, KeySchema } from '../../src/api/primary-key.ts';
import type { SecondaryIndex } from '../../src/api/table-definition.ts';
import { collectionPrefix } from '../../src/dynamo/keyspace.ts';
import { type Random, randomBelow } from '../../src/env/random.ts';
import type { StoreKey } from '../../src/env/store.ts';
import { attribute, globalIndex, localIndex } from '../api/sample-table.ts';

/** Which indexes the table of a scenario has. */
export interface IndexPlan {
  readonly globals: 0 | 1 | 2;
  /** Needs a table whose items are of one collection. */
  readonly hasLocal: boolean;
  /** What happens to the second global index while clients go on; before `add` it is not there. */
  readonly change: 'add' | 'drop' | 'none';
  /** Undefined: the table has no stream. */
  readonly stream?: Omit<DerivedStream, 'storageId'>;
}

/** The storage id of the stream of the table. */
export const STREAM: ByteString = 'stream-1';

/** `7:a0x1`: version 7 of an item, with these attributes; `-` for one that it lacks. */
type Value = string;

/** The attributes that indexes have keys of, as they come in a value, and what they may be. */
const CHOICES = { g: 'ab-', s: '01', h: 'xy-', l: '012-' } as const;
const NAMES = Object.keys(CHOICES) as (keyof typeof CHOICES)[];

/** An index with all attributes in its entries, so that they tell the version. */
const BY_G: SecondaryIndex = { ...globalIndex('by-g', { partition: 'S:g', sort: 'S:s' }), storageId: 'index-g1' };
/** Its entries are the same in many versions. */
const BY_H: SecondaryIndex = {
  ...globalIndex('by-h', { partition: 'S:h' }, { ProjectionType: 'KEYS_ONLY' }),
  storageId: 'index-h1',
};
const BY_L = localIndex('by-l', { partition: 'S:pk', sort: 'S:l' });

/** An entry of a global index, where it has to be. */
export interface ExpectedEntry {
  readonly key: StoreKey;
  /** As `canonical` has it. */
  readonly text: string;
}

/** The items of the table of one history, and what is derived from them now. */
export class IndexedItems {
  readonly #plan: IndexPlan;
  readonly #table: ByteString;
  readonly #key: KeySchema;
  readonly #partitions: number;
  readonly #random: Random;
  /** Those that were asked for, by index, item and value. */
  readonly #entries = new Map<string, ExpectedEntry | undefined>();
  /** As `#entries`, of the local index. */
  readonly #places = new Map<string, ByteString | undefined>();
  #version = 1;
  /** Which clients know the newest version. */
  #known: 'none' | 'some' | 'all' = 'all';

  constructor({ plan, table, partitions, isCollection, random }: IndexedItemsParts) {
    this.#plan = plan;
    this.#table = table;
    this.#partitions = partitions;
    this.#random = random;
    this.#key = isCollection
      ? { partition: attribute('S:pk'), sort: attribute('S:sk') }
      : { partition: attribute('S:pk') };
  }

  /** The global indexes that queries are sent to. */
  get globals(): readonly SecondaryIndex[] {
    return this.globalsOf(this.#known === 'all' ? this.#version : 1);
  }

  globalsOf(version: number): readonly SecondaryIndex[] {
    return this.#indexesOf(version).filter(({ kind }) => kind === 'global');
  }

  /** All global indexes that the table ever has. */
  get everIndexed(): readonly SecondaryIndex[] {
    return [BY_G, BY_H];
  }

  get stream(): Derivation['stream'] {
    return this.latest.stream;
  }

  get local(): SecondaryIndex | undefined {
    return this.#plan.hasLocal ? BY_L : undefined;
  }

  /** What a request carries: while the indexes change, one client knows of it and another does not. */
  get derivation(): Derivation {
    const isKnown = this.#known === 'all' || (this.#known === 'some' && this.#random.next() < 0.5);
    return this.#derivationOf(isKnown ? this.#version : 1);
  }

  get latest(): Derivation {
    return this.#derivationOf(this.#version);
  }

  /** The table gets its other indexes, of which no client knows yet. */
  change(): void {
    this.#version = 2;
    this.#known = 'none';
  }

  /** So many clients know of it. */
  spread(known: 'some' | 'all'): void {
    this.#known = known;
  }

  /** The storage id of the index that is gone after the change, if one is. */
  get dropped(): ByteString | undefined {
    return this.#plan.change === 'drop' ? BY_H.storageId : undefined;
  }

  #indexesOf(version: number): readonly SecondaryIndex[] {
    const { hasLocal, globals, change } = this.#plan;
    const isSecond = change === 'none' ? globals === 2 : (change === 'add') === (version === 2);
    return [...(hasLocal ? [BY_L] : []), ...(globals > 0 ? [BY_G] : []), ...(isSecond ? [BY_H] : [])];
  }

  #derivationOf(version: number): Derivation {
    const stream = this.#plan.stream && { storageId: STREAM, ...this.#plan.stream };
    return { table: this.#table, version, key: this.#key, indexes: this.#indexesOf(version), stream };
  }

  newValue(version: number, random: Random): Value {
    const attributes = NAMES.map((name) => CHOICES[name][randomBelow(random, CHOICES[name].length)]!);
    return `${version}:${attributes.join('')}`;
  }

  /** Another version with the same attributes, but for the one that tells the version. */
  sameKeys(version: number, value: Value): Value {
    return `${version}${value.slice(value.indexOf(':'))}`;
  }

  itemOf(key: EncodedKey, value: Value): ItemImage {
    const json = Buffer.from(JSON.stringify(this.#attributesOf(key, value)), 'latin1');
    return { size: json.length, json };
  }

  /** Where an item is in the local index; undefined if it is not in it. */
  localPlace(key: EncodedKey, value: Value): ByteString | undefined {
    const name = `${key.partitionKey} ${key.sortKey} ${value}`;
    if (!this.#places.has(name)) {
      const attributes = this.#attributesOf(key, value);
      this.#places.set(name, 'l' in attributes ? localSortKey(BY_L, attributes, key) : undefined);
    }
    return this.#places.get(name);
  }

  /** The beginning of all places in the local index with this sort key. */
  localPlaces(sort: string): ByteString {
    return grouped(sort);
  }

  /** The prefix of all entries of a global index with this partition key. */
  collectionOf(index: SecondaryIndex, partition: string): StoreKey {
    const key = entryPartitionKey(index, { [index.key.partition[0]!.name]: { S: partition } });
    return collectionPrefix(index.storageId!, key, this.#partitions);
  }

  /** The entry of a version of an item in a global index, if it has one. */
  entryOf(index: SecondaryIndex, key: EncodedKey, value: Value): ExpectedEntry | undefined {
    const name = `${index.name} ${key.partitionKey} ${key.sortKey} ${value}`;
    if (!this.#entries.has(name)) this.#entries.set(name, this.#makeEntry(index, key, value));
    return this.#entries.get(name);
  }

  #makeEntry(index: SecondaryIndex, key: EncodedKey, value: Value): ExpectedEntry | undefined {
    const attributes = this.#attributesOf(key, value);
    const names = [...index.key.partition, ...index.key.sort].map(({ name }) => name);
    if (!names.every((name) => name in attributes)) return undefined;
    const isWhole = index.projection.ProjectionType === 'ALL';
    const kept = Object.entries(attributes).filter(([name]) => isWhole || ['pk', 'sk', ...names].includes(name));
    const collection = collectionPrefix(index.storageId!, entryPartitionKey(index, attributes), this.#partitions);
    return {
      key: collection + entrySortKey(index, attributes, key),
      text: canonical(Object.fromEntries(kept)),
    };
  }

  #attributesOf({ partitionKey, sortKey }: EncodedKey, value: Value): AttributeMap {
    const letters = value.slice(value.indexOf(':') + 1);
    const present = NAMES.map((name, at) => [name, letters[at]!] as const).filter(([, letter]) => letter !== '-');
    return {
      // First, so that `registerValueOf` finds it.
      v: { S: value },
      pk: { S: partitionKey },
      ...(sortKey === '' ? {} : { sk: { S: sortKey } }),
      ...Object.fromEntries(present.map(([name, letter]) => [name, { S: letter }])),
    };
  }
}

interface IndexedItemsParts {
  readonly plan: IndexPlan;
  readonly table: ByteString;
  /** Q */
  readonly partitions: number;
  readonly isCollection: boolean;
  readonly random: Random;
}

/** The same text for the same attributes, whatever their order. */
export function canonical(attributes: AttributeMap): string {
  const names = Object.keys(attributes).sort();
  return names.map((name) => `${name}=${JSON.stringify(attributes[name])}`).join(' ');
}

/** As `canonical`, of an entry as it is stored and read. */
export function textOf({ json }: ItemImage): string {
  return canonical(JSON.parse(Buffer.from(json).toString('latin1')));
}

/** The key of the item that an entry was made of. */
export function itemNameIn({ json }: ItemImage): string {
  const { pk, sk } = JSON.parse(Buffer.from(json).toString('latin1'));
  return (sk ?? pk).S;
}
