import type { ItemRecord, RecordFields } from '../../src/dynamo/record.ts';

/** What a record is made of, to make another one of it. */
export function fieldsOf({ ballot, item, partitionKey, lineage, derived, pending, isEntry }: ItemRecord): RecordFields {
  return { ballot, item, partitionKey, lineage, derived, pending, isEntry };
}
