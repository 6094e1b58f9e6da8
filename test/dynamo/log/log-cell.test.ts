import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  collectionOf,
  isLogKey,
  leafOf,
  logPrefix,
  partitionOf,
  partitionOfLog,
  tableOf,
} from '../../../src/dynamo/keyspace.ts';
import { bytesInCell, decodeCell, encodeBatch, encodeEnd } from '../../../src/dynamo/log/log-cell.ts';
import { cellKey, cellOf, isCellKey, MAX_CELL, prefixOfCell, retentionKey } from '../../../src/dynamo/log/log-keys.ts';
import { arbitraryChange } from '../../parts/arbitrary-derived.ts';

const PARTITIONS = 12;
const prefixOf = (stream: string, partition: number) => logPrefix(stream, partition, PARTITIONS);

test('a cell is read as it was written, and is as large as its changes say', () => {
  const hlc = fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER });
  fc.assert(
    fc.property(fc.array(arbitraryChange, { maxLength: 5 }), hlc, (all, retentionHlc) => {
      const changes = all.map(({ stream: _, shards: __, ...change }) => change);
      const image = encodeBatch(changes, retentionHlc);
      expect(decodeCell(image)).toEqual({ kind: 'batch', retentionHlc, changes });
      expect(image.json.length).toBe(changes.reduce((sum, change) => sum + bytesInCell(change), 12));
    }),
  );
  expect(decodeCell(encodeEnd())).toEqual({ kind: 'end' });
});

test('the cells of a log are in their order, in the partition of the log, and in no collection of items', () => {
  const cell = fc.integer({ min: 0, max: MAX_CELL });
  fc.assert(
    fc.property(cell, cell, fc.nat(PARTITIONS - 1), (one, other, partition) => {
      const prefix = prefixOf('a stream', partition);
      const [key, second] = [cellKey(prefix, one), cellKey(prefix, other)];
      expect(key < second).toBe(one < other);
      expect(cellOf(key)).toBe(one);
      expect([prefixOfCell(key), collectionOf(key), tableOf(key), partitionOf(key)]).toEqual([
        prefix,
        prefix,
        'a stream',
        partition,
      ]);
      expect(leafOf(key, PARTITIONS, 16)).toBe(0);
      expect([isLogKey(key), isCellKey(key, prefixOf), isCellKey(retentionKey(prefix), prefixOf)]).toEqual([
        true,
        true,
        false,
      ]);
      // What another process may have made up.
      expect(isCellKey(key.replace('log', 'lag'), prefixOf)).toBe(false);
      expect(isCellKey(`${key}x`, prefixOf)).toBe(false);
    }),
  );
});

test('a shard has its log in the first partition of its slice', () => {
  const logs = (shards: number) =>
    Array.from({ length: PARTITIONS }, (_, at) => partitionOfLog(at, shards, PARTITIONS));
  expect(new Set(logs(1))).toEqual(new Set([0]));
  expect(logs(3)).toEqual([0, 0, 0, 0, 4, 4, 4, 4, 8, 8, 8, 8]);
  expect(logs(PARTITIONS)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
});
