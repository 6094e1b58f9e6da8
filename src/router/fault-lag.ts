import { tableNameOf } from '../api/arn.ts';
import type { AttributeMap } from '../api/attribute-value.ts';
import { delayDistribution } from '../api/delay-model.ts';
import { derivedStream } from '../api/derivation.ts';
import type { FaultScope, Lag } from '../api/fault-rule.ts';
import { type ByteString, encodeKeyValue, type KeyAttribute, type KeySchema } from '../api/primary-key.ts';
import type { SecondaryIndex } from '../api/table-definition.ts';
import type { LagPlace, LagRelease, LagRule } from '../dynamo/client.ts';
import { normalisedKey } from './fault-scope.ts';
import type { StorageDescription } from './table-cache.ts';

/** A rule of kind staleness. */
export type Staleness = Lag & FaultScope & { readonly whole?: true; readonly stream?: true };

/**
 * A staleness rule as the ring has to be told it: which records are held back, and until when. How likely a read is to
 * see the old value is decided for each read, not here.
 *
 * The ring knows tables by their storage ids alone, so a rule lists the places in those tables of the catalogue that it
 * is for, and changes as tables come and go. A table is in the catalogue before the first of its items is written or
 * read.
 */
export class StalenessRule {
  readonly #id: string;
  readonly #placesIn: (table: StorageDescription) => readonly LagPlace[];
  readonly #release: LagRelease;
  /** By storage id. As many at most as the catalogue has tables. */
  readonly #places = new Map<ByteString, readonly LagPlace[]>();
  #lag: LagRule | undefined;

  /** @param seed a whole number, for the delays that a model draws */
  constructor(id: string, rule: Staleness, seed: number) {
    this.#id = id;
    this.#placesIn = placesOfRule(rule);
    this.#release = releaseOf(rule, seed);
  }

  /** The rule for the ring: the same object until a table that it is for comes or goes. */
  get lag(): LagRule {
    this.#lag ??= { id: this.#id, scope: [...this.#places.values()].flat(), release: this.#release };
    return this.#lag;
  }

  /** A table has come into the catalogue. @returns whether that changes `lag` */
  addTable(table: StorageDescription): boolean {
    const places = this.#placesIn(table);
    if (places.length === 0) return false;
    this.#places.set(table.storageId, places);
    this.#lag = undefined;
    return true;
  }

  /** A table has gone out of the catalogue. @returns whether that changes `lag` */
  removeTable(storageId: ByteString): boolean {
    if (!this.#places.delete(storageId)) return false;
    this.#lag = undefined;
    return true;
  }
}

/** The places of a table, with those of its indexes, that a staleness rule is for. None: it is for nothing there. */
export function placesOfRule(rule: Staleness): (table: StorageDescription) => readonly LagPlace[] {
  const { namespace: ruleNamespace, index: indexName, whole: isWhole = false, stream: isOfStream = false } = rule;
  const tableName = rule.table === undefined ? undefined : tableNameOf(rule.table);
  const ruleKey = rule.key && normalisedKey(rule.key);
  return ({ storageId: table, namespace, name, key: schema, indexes, stream }) => {
    if (ruleNamespace !== undefined && ruleNamespace !== namespace) return [];
    if (tableName !== undefined && tableName !== name) return [];
    if (isOfStream) {
      const derived = derivedStream({ stream });
      return derived === undefined ? [] : [{ kind: 'propagation', index: derived.storageId }];
    }
    if (indexName !== undefined) {
      const index = indexes.find((each) => each.name === indexName);
      return index === undefined ? [] : [placeOfIndex(index, table, isWhole)];
    }
    if (ruleKey !== undefined) {
      const place = placeOfKey(ruleKey, schema, table);
      return place === undefined ? [] : [place];
    }
    const entries = indexes.flatMap(({ storageId }) => storageId ?? []);
    return [table, ...entries].map((each) => ({ kind: 'table', table: each }));
  };
}

/** An index that has no entries of its own is read from its table. */
function placeOfIndex({ storageId }: SecondaryIndex, table: ByteString, isWhole: boolean): LagPlace {
  if (storageId === undefined) return { kind: 'table', table };
  return isWhole ? { kind: 'propagation', index: storageId } : { kind: 'table', table: storageId };
}

/** When what a rule holds back arrives after all. @param seed a whole number, for the delays that a model draws */
export function releaseOf(lag: Lag, seed: number): LagRelease {
  if ('worst' in lag) return { kind: 'never' };
  if ('versions' in lag) return { kind: 'versions', count: lag.versions };
  if ('lagMs' in lag) return { kind: 'after', delay: { kind: 'constant', delayMs: lag.lagMs } };
  return { kind: 'after', delay: { kind: 'drawn', distribution: delayDistribution(lag.model, 'W'), seed } };
}

/**
 * The item or, if the rule names the partition key alone, the item collection.
 * @returns undefined if no item of the table has such a key
 */
function placeOfKey(ruleKey: AttributeMap, schema: KeySchema, table: ByteString): LagPlace | undefined {
  const partitionKey = encoded(schema.partition, ruleKey);
  if (partitionKey === undefined) return undefined;
  if (Object.keys(ruleKey).length === 1) {
    if (schema.sort !== undefined) return { kind: 'collection', table, partitionKey };
    return { kind: 'item', key: { table, partitionKey, sortKey: '' } };
  }
  const sortKey = schema.sort && encoded(schema.sort, ruleKey);
  return sortKey === undefined ? undefined : { kind: 'item', key: { table, partitionKey, sortKey } };
}

function encoded(attribute: KeyAttribute, key: AttributeMap): ByteString | undefined {
  const value = Object.hasOwn(key, attribute.name) ? key[attribute.name]! : undefined;
  return value !== undefined && attribute.type in value ? encodeKeyValue(attribute, value) : undefined;
}
