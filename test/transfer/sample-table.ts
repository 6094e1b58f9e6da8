import type { FoundTable } from '../../src/transfer/tables.ts';

/** A table whose key is a text and a number, with an index by another number. */
export const ALBUMS: FoundTable = {
  name: 'Albums',
  key: { partition: { name: 'artist', type: 'S' }, sort: { name: 'year', type: 'N' } },
  identity: 'one',
  description: {
    TableName: 'Albums',
    KeySchema: [
      { AttributeName: 'artist', KeyType: 'HASH' },
      { AttributeName: 'year', KeyType: 'RANGE' },
    ],
    AttributeDefinitions: [
      { AttributeName: 'artist', AttributeType: 'S' },
      { AttributeName: 'year', AttributeType: 'N' },
      { AttributeName: 'sold', AttributeType: 'N' },
    ],
  },
};
