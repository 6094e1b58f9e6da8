import type { KeyAttribute, KeySchema } from '../../src/api/primary-key.ts';
import type { SecondaryIndex, Table } from '../../src/api/table-definition.ts';

/** A table definition for tests that care about its keys and indexes only. */
export function sampleTable(key: KeySchema, indexes: readonly SecondaryIndex[] = []): Table {
  return {
    namespace: '',
    name: 'Sample',
    id: '00000000-0000-4000-8000-000000000001',
    storageId: '\x01\x02\x03\x04\x05\x06\x07\x08',
    arn: 'arn:aws:dynamodb:eu-west-1:000000000000:table/Sample',
    createdAtMs: 0,
    key,
    attributeDefinitions: [],
    indexes,
    vectorIndexes: [],
    billing: { mode: 'PAY_PER_REQUEST' },
    throughput: { readUnits: 0, writeUnits: 0, warm: { ReadUnitsPerSecond: 1, WriteUnitsPerSecond: 1 } },
    deletionProtection: false,
    tags: [],
    replicas: [],
  };
}

/** `attribute('S:name')` */
export function attribute(text: string): KeyAttribute {
  const [type, name] = text.split(':');
  return { name: name!, type: type as KeyAttribute['type'] };
}

export function globalIndex(
  name: string,
  keys: { partition: string; sort?: string },
  projection: SecondaryIndex['projection'] = { ProjectionType: 'ALL' },
): SecondaryIndex {
  return {
    name,
    kind: 'global',
    key: { partition: [attribute(keys.partition)], sort: keys.sort ? [attribute(keys.sort)] : [] },
    projection,
  };
}

export function localIndex(
  name: string,
  keys: { partition: string; sort: string },
  projection: SecondaryIndex['projection'] = { ProjectionType: 'ALL' },
): SecondaryIndex {
  return { ...globalIndex(name, keys, projection), kind: 'local' };
}
