import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Ballot } from '../../src/dynamo/ballot.ts';
import {
  decodeRecord,
  encodeRecord,
  highestCommitted,
  highestOf,
  type ItemRecord,
  isSettled,
  topOf,
} from '../../src/dynamo/record.ts';

const hlc = fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER });
const disk = fc.integer({ min: 0, max: 2 ** 48 - 1 });
const boot = fc.integer({ min: 0, max: 2 ** 32 - 1 });
const record: fc.Arbitrary<ItemRecord> = fc.record({
  ballot: fc.record({ hlc, coordinator: disk, boot }),
  item: fc.option(
    fc.record({
      size: fc.integer({ min: 0, max: 409_600 }),
      json: fc.uint8Array({ maxLength: 50 }).map((a) => Buffer.from(a)),
    }),
    { nil: undefined },
  ),
  partitionKey: fc.uint8Array({ maxLength: 40 }).map((a) => Buffer.from(a).toString('latin1')),
  lineage: fc.array(fc.record({ coordinator: disk, boot, sequence: disk, hlc }), { maxLength: 4 }),
});

const at = (time: number): ItemRecord => ({
  ballot: { hlc: time, coordinator: 1, boot: 1 } satisfies Ballot,
  item: undefined,
  partitionKey: 'k',
  lineage: [],
});

describe('records', () => {
  test('are read back as they were written', () => {
    fc.assert(
      fc.property(record, (original) => {
        const { encoded: _, ...read } = decodeRecord(encodeRecord({ ...original }));
        expect(read).toEqual(original);
      }),
    );
  });

  test('under another ballot are encoded anew', () => {
    fc.assert(
      fc.property(record, hlc, (original, time) => {
        encodeRecord(original);
        const again = { ...original, ballot: { ...original.ballot, hlc: time } };
        expect(decodeRecord(encodeRecord(again)).ballot.hlc).toBe(time);
      }),
    );
  });

  test('the top of a replica is the newer of what it accepted and what it committed', () => {
    expect(topOf({})).toBeUndefined();
    expect(topOf({ accepted: at(2), committed: at(1) })?.ballot.hlc).toBe(2);
    expect(topOf({ accepted: at(1), committed: at(2) })?.ballot.hlc).toBe(2);
    expect(highestOf([{ committed: at(1) }, { accepted: at(3) }, {}])?.ballot.hlc).toBe(3);
    expect(highestCommitted([{ committed: at(1) }, { accepted: at(3) }, {}])?.ballot.hlc).toBe(1);
  });

  test('one committed copy or a majority of accepted ones proves a record chosen, fewer do not', () => {
    expect(isSettled(at(2), [{ committed: at(2) }, {}], 2)).toBe(true);
    expect(isSettled(at(2), [{ accepted: at(2) }, { accepted: at(2) }], 2)).toBe(true);
    expect(isSettled(at(2), [{ accepted: at(2) }, { committed: at(1) }], 2)).toBe(false);
    expect(isSettled(at(2), [{ accepted: at(2) }, { accepted: at(1) }], 2)).toBe(false);
  });
});
