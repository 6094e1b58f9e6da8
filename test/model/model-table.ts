import { strict as assert } from 'node:assert';
import type { AttributeMap } from '../../src/api/attribute-value.ts';
import { sizeOf } from '../../src/api/item.ts';
import { attributeOf, compareScalars, itemAsAnswered, type KeyPart, pick, sum, textOf } from './values.ts';

export interface ModelIndex {
  readonly name: string;
  readonly kind: 'local' | 'global';
  readonly partition: readonly KeyPart[];
  readonly sort: readonly KeyPart[];
  /** The names of an INCLUDE. */
  readonly projection: 'ALL' | 'KEYS_ONLY' | readonly string[];
}

export interface ModelSchema {
  readonly partition: KeyPart;
  readonly sort: KeyPart | undefined;
  readonly indexes: readonly ModelIndex[];
  /** `dynamo`: the table has the guarantees of the paper of 2007. Nothing of it shows as long as nothing is faulty. */
  readonly consistency?: 'strict' | 'dynamo' | undefined;
}

/** What a Query reads: a table, or one of its indexes. */
export interface Target {
  readonly index: ModelIndex | undefined;
  readonly partition: readonly KeyPart[];
  readonly sort: readonly KeyPart[];
}

/** An item as a target has it. */
export interface Entry {
  /** The whole item. */
  readonly item: AttributeMap;
  /** What of it is in the target. */
  readonly projected: AttributeMap;
}

/** A write of one item. */
export type Change =
  | { readonly kind: 'put'; readonly item: AttributeMap }
  | { readonly kind: 'delete'; readonly key: AttributeMap }
  | {
      readonly kind: 'update';
      readonly key: AttributeMap;
      readonly set: AttributeMap;
      readonly remove: readonly string[];
    };

/** A table that is a list of items: everything that is asked of it is a filter and a sort. */
export class ModelTable {
  readonly schema: ModelSchema;
  /** By the texts of their keys. */
  #items = new Map<string, AttributeMap>();

  constructor(schema: ModelSchema) {
    this.schema = schema;
  }

  /** The same items with other indexes. */
  withIndexes(indexes: readonly ModelIndex[]): ModelTable {
    const changed = new ModelTable({ ...this.schema, indexes });
    changed.#items = new Map(this.#items);
    return changed;
  }

  get items(): readonly AttributeMap[] {
    return [...this.#items.values()];
  }

  get keyNames(): readonly string[] {
    const { partition, sort } = this.schema;
    return sort === undefined ? [partition.name] : [partition.name, sort.name];
  }

  keyOf(item: AttributeMap): AttributeMap {
    return pick(item, this.keyNames);
  }

  put(item: AttributeMap): void {
    this.#items.set(this.#keyText(item), itemAsAnswered(item));
  }

  /** @param key may have more than the key */
  delete(key: AttributeMap): void {
    this.#items.delete(this.#keyText(key));
  }

  get(key: AttributeMap): AttributeMap | undefined {
    return this.#items.get(this.#keyText(key));
  }

  #keyText(item: AttributeMap): string {
    return textOf(this.keyOf(itemAsAnswered(item)));
  }

  /** UpdateItem: an item that is absent is made, unless there is nothing but attributes to remove from it. */
  update(key: AttributeMap, set: AttributeMap, remove: readonly string[]): void {
    const before = this.get(key);
    if (before === undefined && Object.keys(set).length === 0 && remove.length > 0) return;
    const item = { ...(before ?? key), ...set };
    for (const name of remove) delete item[name];
    this.put(item);
  }

  apply(change: Change): void {
    if (change.kind === 'put') this.put(change.item);
    else if (change.kind === 'delete') this.delete(change.key);
    else this.update(change.key, change.set, change.remove);
  }

  get targets(): readonly Target[] {
    const { partition, sort, indexes } = this.schema;
    const table = { index: undefined, partition: [partition], sort: sort === undefined ? [] : [sort] };
    return [table, ...indexes.map((index) => ({ index, partition: index.partition, sort: index.sort }))];
  }

  /** The attributes that name a place in the target, and that a KEYS_ONLY index has. */
  placeNames({ partition, sort }: Target): readonly string[] {
    return [...new Set([...partition, ...sort].map(({ name }) => name).concat(this.keyNames))];
  }

  /** The names that the target has; undefined: all. */
  projectedNames(target: Target): readonly string[] | undefined {
    const { projection = 'ALL' } = target.index ?? {};
    if (projection === 'ALL') return undefined;
    return [...this.placeNames(target), ...(projection === 'KEYS_ONLY' ? [] : projection)];
  }

  /** What the target has, in no order. */
  entries(target: Target): readonly Entry[] {
    const keys = [...target.partition, ...target.sort];
    const names = this.projectedNames(target);
    return this.items
      .filter((item) => keys.every((part) => canBeKey(item, part)))
      .filter((item) => fits(item, target.partition, 2048) && fits(item, target.sort, 1024))
      .map((item) => ({ item, projected: names === undefined ? item : pick(item, names) }));
  }

  /** The texts that name entries of the target, each once. */
  placeOf(target: Target, item: AttributeMap): string {
    return textOf(pick(item, this.placeNames(target)));
  }
}

/** Developer guide, "Taking advantage of sparse indexes": an item without one of the attributes is not in the index. */
function canBeKey(item: AttributeMap, { name, type }: KeyPart): boolean {
  const value = attributeOf(item, name);
  return value !== undefined && type in value && Object.values(value)[0] !== '';
}

/** Developer guide, quotas: the most bytes of a partition key and of a sort key, of all attributes together. */
function fits(item: AttributeMap, parts: readonly KeyPart[], mostBytes: number): boolean {
  return (
    sizeOf(
      pick(
        item,
        parts.map(({ name }) => name),
      ),
    ) -
      sum(parts.map(({ name }) => Buffer.byteLength(name))) <=
    mostBytes
  );
}

/** The order of two items of one partition by the sort key of the target; 0 for items between which it decides nothing. */
export function compareBySort(sort: readonly KeyPart[], left: AttributeMap, right: AttributeMap): number {
  for (const { name } of sort) {
    const [a, b] = [attributeOf(left, name), attributeOf(right, name)];
    assert(a !== undefined && b !== undefined);
    const order = compareScalars(a, b);
    if (order !== 0) return order;
  }
  return 0;
}

/** Whether two items are in one partition of the target. */
export function haveOnePartition({ partition }: Target, left: AttributeMap, right: AttributeMap): boolean {
  const names = partition.map(({ name }) => name);
  return textOf(pick(itemAsAnswered(left), names)) === textOf(pick(itemAsAnswered(right), names));
}
