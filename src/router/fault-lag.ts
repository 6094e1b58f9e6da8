import { tableNameOf } from '../api/arn.ts';
import type { AttributeMap } from '../api/attribute-value.ts';
import { drawDelayMs } from '../api/delay-model.ts';
import type { FaultScope, Lag } from '../api/fault-rule.ts';
import { type ByteString, encodeKeyValue, type KeyAttribute, type KeySchema } from '../api/primary-key.ts';
import type { ItemKey, LagRelease, LagRule } from '../dynamo/client.ts';
import { normalisedKey } from './fault-scope.ts';
import { MAX_REMEMBERED_PREFIXES } from './router-limits.ts';

/** What a storage id stands for. */
export interface StorageDescription {
  readonly namespace: string;
  /** Of the table. */
  readonly name: string;
  readonly key: KeySchema;
}

export interface LagParts {
  /** Undefined for what is no table of a client: that is never held back. */
  readonly describeStorage: (storageId: ByteString) => StorageDescription | undefined;
  /** The key that the ring stores an item under. With an empty sort key: what the keys of its collection begin with. */
  readonly storeKeyOf: (key: ItemKey) => ByteString;
}

/**
 * What a staleness rule asks of the ring: which records are held back, and until when. How likely a read is to see it is
 * decided for each read, not here.
 * @param draw uniform in [0, 1), for delays alone
 */
export function lagRuleOf(id: string, rule: Lag & FaultScope, parts: LagParts, draw: () => number): LagRule {
  const table = rule.table === undefined ? undefined : tableNameOf(rule.table);
  const isOfKey = rule.key === undefined ? undefined : keyMatcher(normalisedKey(rule.key), parts);
  return {
    id,
    release: releaseOf(rule, draw),
    holds(storageId, key) {
      const storage = parts.describeStorage(storageId);
      if (storage === undefined) return false;
      if (rule.namespace !== undefined && rule.namespace !== storage.namespace) return false;
      if (table !== undefined && table !== storage.name) return false;
      return isOfKey === undefined || isOfKey(storageId, storage.key, key);
    },
  };
}

function releaseOf(lag: Lag, draw: () => number): LagRelease {
  if ('worst' in lag) return { kind: 'never' };
  if ('versions' in lag) return { kind: 'versions', count: lag.versions };
  if ('lagMs' in lag) {
    const { lagMs } = lag;
    return { kind: 'after', delayMs: () => lagMs };
  }
  const { model } = lag;
  return { kind: 'after', delayMs: () => drawDelayMs(model, 'W', draw) };
}

/** Compares keys as they are stored; a rule that names the partition key alone is for the whole collection. */
function keyMatcher(ruleKey: AttributeMap, { storeKeyOf }: LagParts) {
  const stored = new Map<ByteString, StoredKey | undefined>();
  return (storageId: ByteString, schema: KeySchema, key: ByteString): boolean => {
    if (!stored.has(storageId)) {
      if (stored.size >= MAX_REMEMBERED_PREFIXES) stored.clear();
      stored.set(storageId, storedKey(ruleKey, schema, storageId, storeKeyOf));
    }
    const found = stored.get(storageId);
    if (found === undefined) return false;
    return found.isWhole ? key === found.bytes : key.startsWith(found.bytes);
  };
}

interface StoredKey {
  readonly bytes: ByteString;
  /** Of one item, not of a collection. */
  readonly isWhole: boolean;
}

/** Undefined: no item of this table has such a key. */
function storedKey(
  ruleKey: AttributeMap,
  schema: KeySchema,
  table: ByteString,
  storeKeyOf: LagParts['storeKeyOf'],
): StoredKey | undefined {
  const partitionKey = encoded(schema.partition, ruleKey);
  if (partitionKey === undefined) return undefined;
  if (Object.keys(ruleKey).length === 1) {
    return { bytes: storeKeyOf({ table, partitionKey, sortKey: '' }), isWhole: schema.sort === undefined };
  }
  const sortKey = schema.sort && encoded(schema.sort, ruleKey);
  return sortKey === undefined ? undefined : { bytes: storeKeyOf({ table, partitionKey, sortKey }), isWhole: true };
}

function encoded(attribute: KeyAttribute, key: AttributeMap): ByteString | undefined {
  const value = Object.hasOwn(key, attribute.name) ? key[attribute.name]! : undefined;
  return value !== undefined && attribute.type in value ? encodeKeyValue(attribute, value) : undefined;
}
