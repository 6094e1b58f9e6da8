import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Ballot } from '../../src/dynamo/ballot.ts';
import {
  decodeRecord,
  highestCommitted,
  highestOf,
  ItemRecord,
  isPurgeable,
  isSettled,
  isWholeRecord,
  type RecordFields,
  topOf,
} from '../../src/dynamo/record.ts';
import { arbitraryDerived } from '../parts/arbitrary-derived.ts';
import { arbitraryPending } from '../parts/arbitrary-pending.ts';
import { fieldsOf } from './record-fields.ts';

const hlc = fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER });
const disk = fc.integer({ min: 0, max: 2 ** 48 - 1 });
const boot = fc.integer({ min: 0, max: 2 ** 32 - 1 });
const fields: fc.Arbitrary<RecordFields> = fc.record({
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
  derived: fc.option(arbitraryDerived, { nil: undefined }),
  pending: fc.option(arbitraryPending, { nil: undefined }),
  isEntry: fc.option(fc.constant(true as const), { nil: undefined }),
});

const at = (time: number): ItemRecord =>
  new ItemRecord({
    ballot: { hlc: time, coordinator: 1, boot: 1 } satisfies Ballot,
    item: undefined,
    partitionKey: 'k',
    lineage: [],
  });

describe('records', () => {
  test('are read back as they were written', () => {
    fc.assert(
      fc.property(fields, (original) => {
        const { stored } = new ItemRecord(original);
        expect(isWholeRecord(stored)).toBe(true);
        const read = decodeRecord(stored);
        expect(read.stored).toBe(stored);
        const { derived } = original;
        const isInLocals = derived !== undefined && derived.local.length > 0;
        expect([read.isDerived, read.due, read.hasLocals]).toEqual([derived !== undefined, derived?.due, isInLocals]);
        const isPending = original.pending !== undefined;
        expect(read.isPending).toBe(isPending);
        expect(isPurgeable(stored)).toBe(original.item === undefined && !isPending);
        expect(fieldsOf(read)).toEqual(original);
        expect(fieldsOf(new ItemRecord(original))).toEqual(original);
      }),
    );
  });

  test('under another ballot are as if they had been made with it', () => {
    fc.assert(
      fc.property(fields, hlc, fc.boolean(), (original, time, isSame) => {
        const ballot = { ...original.ballot, hlc: time };
        const first = new ItemRecord(original);
        const derived = isSame ? original.derived : original.derived && { ...original.derived, owed: [] };
        const again = first.withBallot(ballot, derived);
        expect(fieldsOf(again)).toEqual({ ...original, ballot, derived });
        expect(again.stored).toEqual(new ItemRecord({ ...original, ballot, derived }).stored);
        expect(fieldsOf(first)).toEqual(original);
      }),
    );
  });

  test('are told from what is cut short, goes on, or has other bytes in its header', () => {
    fc.assert(
      fc.property(fields, fc.nat(200), (original, cut) => {
        const { stored } = new ItemRecord(original);
        const itemBytes = original.item === undefined ? 0 : original.item.json.length;
        const shorter = stored.subarray(0, cut % stored.length);
        expect(isWholeRecord(shorter)).toBe(shorter.length >= stored.length - itemBytes && itemBytes > 0);
        if (original.item === undefined) expect(isWholeRecord(Buffer.concat([stored, Buffer.alloc(1)]))).toBe(false);
        expect(isWholeRecord(Buffer.concat([Buffer.from([2]), stored.subarray(1)]))).toBe(false);
        expect(isWholeRecord(Buffer.concat([stored.subarray(0, 1), Buffer.from([16]), stored.subarray(2)]))).toBe(
          false,
        );
      }),
    );
    expect(isWholeRecord(Buffer.alloc(0))).toBe(false);
  });

  test('are told from those whose derived part is not as long as it claims', () => {
    fc.assert(
      fc.property(fields, arbitraryDerived, fc.nat(50), fc.nat(255), (original, derived, at, value) => {
        const { stored } = new ItemRecord({ ...original, derived, pending: undefined, item: undefined });
        const sectionAt = new ItemRecord({ ...original, derived: undefined, pending: undefined, item: undefined })
          .stored.length;
        const changed = Buffer.from(stored);
        fc.pre(sectionAt + at < stored.length && changed[sectionAt + at] !== value);
        changed[sectionAt + at] = value;
        expect(isWholeRecord(stored)).toBe(true);
        if (at < 4) expect(isWholeRecord(changed)).toBe(false);
        if (isWholeRecord(changed)) expect(new ItemRecord(fieldsOf(decodeRecord(changed))).stored).toEqual(changed);
      }),
    );
  });

  test('are told from those whose pending part is not as long as it claims', () => {
    fc.assert(
      fc.property(fields, arbitraryPending, fc.nat(50), fc.nat(255), (original, pending, at, value) => {
        const { stored } = new ItemRecord({ ...original, pending, item: undefined });
        const sectionAt = new ItemRecord({ ...original, pending: undefined, item: undefined }).stored.length;
        const changed = Buffer.from(stored);
        fc.pre(sectionAt + at < stored.length && changed[sectionAt + at] !== value);
        changed[sectionAt + at] = value;
        expect(isWholeRecord(stored)).toBe(true);
        if (at < 4) expect(isWholeRecord(changed)).toBe(false);
        if (isWholeRecord(changed)) expect(new ItemRecord(fieldsOf(decodeRecord(changed))).stored).toEqual(changed);
      }),
    );
  });

  test('that a transaction has prepared are stored as docs/data-layout.md has it', () => {
    const ballot = { hlc: 1_024, coordinator: 7, boot: 3 };
    const next = { kind: 'put', item: { size: 9, json: Buffer.from('{}') } } as const;
    const pending = { ledger: 'led', attempt: 'abcdefghijklmnop', next };
    const { stored } = new ItemRecord({ ballot, item: undefined, partitionKey: 'k', lineage: [], pending });
    const header = '0109' + '4090000000000000' + '000000000007' + '00000003' + '0000' + '0001';
    const hex = (text: string) => Buffer.from(text).toString('hex');
    const section = `0000001c01${hex('abcdefghijklmnop')}0003${hex('led')}00000009${hex('{}')}`;
    expect(Buffer.from(stored).toString('hex')).toBe(`${header}${hex('k')}${section}`);
  });

  test('of tables without indexes are stored as they always were', () => {
    const ballot = { hlc: 1_024, coordinator: 7, boot: 3 };
    const item = { size: 9, json: Buffer.from('{}') };
    const { stored } = new ItemRecord({ ballot, item, partitionKey: 'k', lineage: [] });
    const header = '0100' + '4090000000000000' + '000000000007' + '00000003' + '0000' + '0001';
    expect(Buffer.from(stored).toString('hex')).toBe(`${header}6b00000009${Buffer.from('{}').toString('hex')}`);
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
