import { describe, expect, test } from 'vitest';
import type { Derivation, DerivedStream } from '../../../src/api/derivation.ts';
import { fromImage, type ItemImage, toImage } from '../../../src/api/item.ts';
import { type Ballot, NO_BALLOT } from '../../../src/dynamo/ballot.ts';
import type { Writer } from '../../../src/dynamo/client.ts';
import { type Basis, chosenAgain, overCap, successor } from '../../../src/dynamo/derived/derive.ts';
import { NOTHING_SETTLED } from '../../../src/dynamo/derived/settled.ts';
import { decodeRecord, type ItemRecord } from '../../../src/dynamo/record.ts';
import { SOUND_RULES } from '../../../src/dynamo/rules.ts';
import { BY_COLOUR, derivationOfTable, keyOfItem } from './indexed-ring.ts';

const STREAM: DerivedStream = { storageId: 'a stream', view: 'NEW_AND_OLD_IMAGES', shards: 1 };
const ballot = (hlc: number): Ballot => ({ hlc, coordinator: 1, boot: 1 });
const withStream = (version = 1, stream = STREAM): Derivation => ({
  ...derivationOfTable(version),
  stream,
});
const basis = (derivation: Derivation, loggedHlc = 0): Basis => ({
  key: keyOfItem('apple'),
  partitions: 1,
  derivation,
  settled: { ...NOTHING_SETTLED, logged: loggedHlc === 0 ? NO_BALLOT : ballot(loggedHlc) },
  owedKept: 4,
  changesKept: 3,
  changeBytesKept: 200,
  rules: SOUND_RULES,
});
const item = (v: string): ItemImage => toImage({ p: { S: 'apple' }, v: { S: v } });

/** What follows `top` when this is written. @param v undefined: the item is deleted */
function written(top: ItemRecord | undefined, at: number, v: string | undefined, on: Basis, by?: Writer): ItemRecord {
  const fields = {
    ballot: ballot(at),
    item: v === undefined ? undefined : item(v),
    partitionKey: 'apple',
    lineage: [],
  };
  return successor(top, fields, on, by);
}

/** As it is after it was stored. */
function changesOf(record: ItemRecord): string[] {
  const read = decodeRecord(record.stored);
  expect(read.newestChange).toEqual(read.derived?.changes?.at(-1)?.ballot);
  const text = (image: ItemImage | undefined) => (image === undefined ? '' : (fromImage(image).v as { S: string }).S);
  return (read.derived?.changes ?? []).map(
    ({ ballot: { hlc }, event, by, old, next }) => `${hlc} ${event} ${text(old)}>${text(next)}${by ?? ''}`,
  );
}

describe('a record of a table with a stream', () => {
  const on = basis(withStream());

  test('carries its change, and those before it', () => {
    const one = written(undefined, 1, 'a', on);
    const two = written(one, 2, 'b', on);
    const three = written(two, 3, undefined, on, 'ttl');
    expect(changesOf(one)).toEqual(['1 INSERT >a']);
    expect(changesOf(two)).toEqual(['1 INSERT >a', '2 MODIFY a>b']);
    expect(changesOf(three)).toEqual(['1 INSERT >a', '2 MODIFY a>b', '3 REMOVE b>ttl']);
    expect(changesOf(written(three, 4, 'c', on)).at(-1)).toBe('4 INSERT >c');
  });

  test('carries them until a mark covers them, also when it is chosen again', () => {
    const two = written(written(undefined, 1, 'a', on), 2, 'b', on);
    expect(changesOf(chosenAgain(two, ballot(5), on))).toEqual(changesOf(two));
    expect(changesOf(chosenAgain(two, ballot(5), basis(withStream(), 1)))).toEqual(['2 MODIFY a>b']);
    expect(changesOf(chosenAgain(two, ballot(5), basis(withStream(), 2)))).toEqual([]);
    expect(changesOf(written(two, 5, 'c', basis(withStream(), 2)))).toEqual(['5 MODIFY b>c']);
    expect(changesOf(written(two, 5, 'b', basis(withStream(), 1)))).toEqual(['2 MODIFY a>b']);
  });

  test('has no change of a write that leaves the item as it is, or deletes what is not there', () => {
    const one = written(undefined, 1, 'a', on);
    expect(changesOf(written(one, 2, 'a', on))).toEqual(['1 INSERT >a']);
    expect(changesOf(written(undefined, 2, undefined, on))).toEqual([]);
  });

  test('has each image once', () => {
    const long = 'x'.repeat(2_000);
    const one = written(undefined, 1, long, on);
    const bytes = (record: ItemRecord) => record.stored.length;
    expect(bytes(one)).toBeLessThan(2_600);
    expect(bytes(written(one, 2, 'b', on))).toBeLessThan(2_800);
    expect(bytes(written(written(one, 2, 'b', on), 3, long, on))).toBeLessThan(2_900);
  });

  test('is over the cap with too many changes, or with two that are too large, but not with one', () => {
    let top = written(undefined, 1, 'a', on);
    for (const at of [2, 3]) top = written(top, at, `${at}`, on);
    expect(overCap(top, on)).toBeUndefined();
    expect(overCap(written(top, 4, 'd', on), on)).toBe(STREAM.storageId);
    const large = written(undefined, 1, 'x'.repeat(1_000), on);
    const one = written(large, 2, 'y', basis(withStream(), 1));
    expect(changesOf(one)).toHaveLength(1);
    expect(overCap(one, on)).toBeUndefined();
    expect(overCap(written(large, 2, 'y', on), on)).toBe(STREAM.storageId);
  });

  test('made before there was one is no change when it is chosen again, and is the old image of the next', () => {
    const before = written(undefined, 1, 'a', basis(derivationOfTable(1, BY_COLOUR)));
    const again = chosenAgain(before, ballot(2), basis(withStream(2)));
    expect(changesOf(again)).toEqual([]);
    expect(changesOf(written(again, 3, 'b', basis(withStream(2))))).toEqual(['3 MODIFY a>b']);
  });

  test('keeps the changes of a stream that is disabled, or was enabled anew, as its own', () => {
    const one = written(undefined, 1, 'a', on);
    const without = basis({ ...withStream(2), stream: undefined });
    expect(changesOf(chosenAgain(one, ballot(2), without))).toEqual(['1 INSERT >a']);
    expect(changesOf(written(one, 2, 'b', without))).toEqual(['1 INSERT >a']);
    const anew = basis(withStream(3, { ...STREAM, storageId: 'b stream' }));
    const two = written(one, 3, 'c', anew);
    expect(two.derived!.changes!.map(({ stream }) => stream)).toEqual(['a stream', 'b stream']);
  });
});

test('a record of a table without a stream has no room for changes', () => {
  const on = basis(derivationOfTable(1, BY_COLOUR));
  const one = written(written(undefined, 1, 'a', on), 2, 'b', on);
  expect([one.derived!.changes, one.newestChange]).toEqual([undefined, undefined]);
});
