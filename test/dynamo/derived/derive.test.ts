import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { AttributeMap } from '../../../src/api/attribute-value.ts';
import type { Derivation } from '../../../src/api/derivation.ts';
import { fromImage, toImage } from '../../../src/api/item.ts';
import type { SecondaryIndex } from '../../../src/api/table-definition.ts';
import { type Ballot, compareBallots } from '../../../src/dynamo/ballot.ts';
import {
  type Basis,
  chosenAgain,
  entriesOf,
  isDerivedBefore,
  overCap,
  successor,
} from '../../../src/dynamo/derived/derive.ts';
import { NOTHING_SETTLED } from '../../../src/dynamo/derived/settled.ts';
import { storeKeyOf, tableOf } from '../../../src/dynamo/keyspace.ts';
import { decodeRecord, type ItemRecord } from '../../../src/dynamo/record.ts';
import { SOUND_RULES } from '../../../src/dynamo/rules.ts';
import type { StoreKey } from '../../../src/env/store.ts';

const TABLE = '\0\0\0\0\0\0\0\x01';
const PARTITIONS = 8;
const OWED_KEPT = 3;
const PARTITION_KEY = 'p';
const KEY = storeKeyOf({ table: TABLE, partitionKey: PARTITION_KEY, sortKey: 's' }, PARTITIONS);

const global = (id: number, type: 'ALL' | 'KEYS_ONLY' | 'INCLUDE' = 'ALL'): SecondaryIndex => ({
  name: `g${id}`,
  kind: 'global',
  storageId: `\0\0\0\0\0\0\x01${String.fromCharCode(id)}`,
  key: { partition: [{ name: `a${id % 2}`, type: 'S' }], sort: [{ name: 'n', type: 'N' }] },
  projection: type === 'INCLUDE' ? { ProjectionType: type, NonKeyAttributes: ['x'] } : { ProjectionType: type },
});
const LOCAL: SecondaryIndex = {
  name: 'l0',
  kind: 'local',
  key: { partition: [{ name: 'p', type: 'S' }], sort: [{ name: 'n', type: 'N' }] },
  projection: { ProjectionType: 'ALL' },
};

const derivation = (version: number, indexes: readonly SecondaryIndex[]): Derivation => ({
  table: TABLE,
  version,
  key: { partition: { name: 'p', type: 'S' }, sort: { name: 's', type: 'S' } },
  indexes,
});
const ballot = (hlc: number): Ballot => ({ hlc, coordinator: 1, boot: 1 });
const basis = (of: Derivation | undefined, settled = NOTHING_SETTLED): Basis => ({
  key: KEY,
  partitions: PARTITIONS,
  derivation: of,
  settled,
  owedKept: OWED_KEPT,
  changesKept: 8,
  changeBytesKept: 2 * 1024 * 1024,
  rules: SOUND_RULES,
});
const item = (attributes: AttributeMap) => toImage({ p: { S: 'p' }, s: { S: 's' }, ...attributes });
const written = (top: ItemRecord | undefined, at: number, attributes: AttributeMap | undefined, on: Basis) =>
  successor(
    top,
    {
      ballot: ballot(at),
      item: attributes && item(attributes),
      partitionKey: PARTITION_KEY,
      lineage: [],
    },
    on,
  );
const at = (value: string, more: AttributeMap = {}): AttributeMap => ({ a0: { S: value }, n: { N: '1' }, ...more });

describe('a record of a table without indexes', () => {
  test('carries nothing, and is chosen again as it is', () => {
    const first = written(undefined, 1, at('x'), basis(undefined));
    expect(first.derived).toBeUndefined();
    const again = chosenAgain(first, ballot(2), basis(undefined));
    expect(again.derived).toBeUndefined();
    expect(again.stored.length).toBe(first.stored.length);
  });
});

describe('what a write owes', () => {
  const on = basis(derivation(1, [global(2), LOCAL]));

  test('is the place that it leaves, and every place that its predecessors have left', () => {
    const one = written(undefined, 1, at('x'), on);
    const two = written(one, 2, { n: { N: '1' } }, on);
    const three = written(two, 3, at('y'), on);
    expect(one.derived!.owed).toEqual([]);
    expect(two.derived!.owed).toEqual(one.derived!.entries);
    expect(three.derived!.owed).toEqual(one.derived!.entries);
    expect(three.derived!.entries).not.toEqual(one.derived!.entries);
    expect([one, two, three].map(({ derived }) => derived!.due.hlc)).toEqual([1, 2, 3]);
  });

  test('is no longer the place that it comes back to', () => {
    const one = written(undefined, 1, at('x'), on);
    const back = written(written(one, 2, at('y'), on), 3, at('x'), on);
    expect(back.derived!.entries).toEqual(one.derived!.entries);
    expect(back.derived!.owed).toHaveLength(1);
    expect(back.derived!.owed).not.toContain(one.derived!.entries[0]);
  });

  test('is nothing once a mark covers it, and stays as long as none does', () => {
    const two = written(written(undefined, 1, at('x'), on), 2, at('y'), on);
    const settledTo = (hlc: number) => ({ ...on, settled: { ...NOTHING_SETTLED, due: ballot(hlc) } });
    expect(written(two, 3, at('z'), settledTo(2)).derived!.owed).toEqual(two.derived!.entries);
    expect(written(two, 3, at('z'), settledTo(1)).derived!.owed).toHaveLength(2);
    expect(chosenAgain(two, ballot(3), settledTo(2)).derived!.owed).toEqual([]);
    expect(chosenAgain(two, ballot(3), settledTo(1)).derived!.owed).toEqual(two.derived!.owed);
  });

  test('is carried by a tombstone', () => {
    const gone = written(written(undefined, 1, at('x'), on), 2, undefined, on);
    expect(gone.derived).toMatchObject({ entries: [], local: [], due: ballot(2) });
    expect(gone.derived!.owed).toHaveLength(1);
  });

  test('is nothing new for a change that no index projects, or that changes nothing', () => {
    const projecting = (type: 'ALL' | 'KEYS_ONLY' | 'INCLUDE') => basis(derivation(1, [global(2, type)]));
    const dueOf = (type: 'ALL' | 'KEYS_ONLY' | 'INCLUDE', more: AttributeMap) => {
      const one = written(undefined, 1, at('x', { x: { S: '1' } }), projecting(type));
      return written(one, 2, at('x', { x: { S: '1' }, ...more }), projecting(type)).derived!.due.hlc;
    };
    expect(dueOf('ALL', { z: { S: '1' } })).toBe(2);
    expect(dueOf('KEYS_ONLY', { z: { S: '1' } })).toBe(1);
    expect(dueOf('INCLUDE', { z: { S: '1' } })).toBe(1);
    expect(dueOf('INCLUDE', { x: { S: '2' } })).toBe(2);
    expect(dueOf('ALL', {})).toBe(1);
  });

  test('names the ballot of the attempt that made the value, which a record chosen again keeps', () => {
    const one = written(undefined, 1, at('x'), on);
    const again = chosenAgain(one, ballot(2), on);
    expect(again.derived!.valueBallot).toEqual(ballot(1));
    expect(written(again, 3, at('x'), on).derived!.valueBallot).toEqual(ballot(1));
    expect(written(again, 3, at('y'), on).derived!.valueBallot).toEqual(ballot(3));
  });

  test('is too much with more than its cap in one index, however it is in the others', () => {
    const both = basis(derivation(1, [global(2), global(3)]));
    let record = written(undefined, 1, at('first', { a1: { S: 'first' } }), both);
    for (let i = 2; i <= OWED_KEPT + 1; i++) {
      record = written(record, i, at(`${i}`, { a1: { S: `${i}` } }), both);
    }
    expect(record.derived!.owed).toHaveLength(2 * OWED_KEPT);
    expect(overCap(record, both)).toBeUndefined();
    const more = written(record, 100, at('more', { a1: { S: `${OWED_KEPT + 1}` } }), both);
    expect(overCap(more, both)).toBe(global(2).storageId);
  });
});

describe('a newer derivation', () => {
  const before = basis(derivation(1, [global(2)]));
  const after = basis(derivation(2, [global(2), global(3)]));

  test('is taken up by the next record, which then owes itself to the new index', () => {
    const one = written(undefined, 1, at('x', { a1: { S: 'y' } }), before);
    const again = chosenAgain(one, ballot(2), after);
    expect(again.derived).toMatchObject({ version: 2, due: ballot(2), valueBallot: ballot(1), owed: [] });
    expect(again.derived!.entries.map(tableOf)).toEqual([global(2).storageId, global(3).storageId]);
    expect(written(one, 2, at('x', { a1: { S: 'y' } }), after).derived!.due).toEqual(ballot(2));
  });

  test('leaves what is owed to the indexes that stay, and forgets those that go', () => {
    const two = written(written(undefined, 1, at('x'), before), 2, at('z'), before);
    expect(chosenAgain(two, ballot(3), after).derived!.owed).toEqual(two.derived!.owed);
    const without = basis(derivation(3, [global(3)]));
    expect(chosenAgain(two, ballot(3), without).derived!.owed).toEqual([]);
    expect(written(two, 3, at('q'), without).derived!.owed).toEqual([]);
  });

  test('is found to be missing in a record of an item, not in a tombstone', () => {
    const one = written(undefined, 1, at('x'), before);
    expect(isDerivedBefore(one, before.derivation)).toBe(false);
    expect(isDerivedBefore(one, after.derivation)).toBe(true);
    expect(isDerivedBefore(written(undefined, 1, at('x'), basis(undefined)), before.derivation)).toBe(true);
    expect(isDerivedBefore(written(one, 2, undefined, before), after.derivation)).toBe(false);
    expect(isDerivedBefore(one, undefined)).toBe(false);
  });

  test('is never followed by an older one', () => {
    const one = written(undefined, 1, at('x'), after);
    expect(() => chosenAgain(one, ballot(2), before)).toThrow('docs/protocol.md I18');
    expect(() => written(one, 2, at('x'), before)).toThrow('docs/protocol.md I18');
  });
});

/** A place of an index, by the rule that the greatest ballot wins. */
type Places = Map<StoreKey, { readonly ballot: Ballot; readonly isThere: boolean }>;

function learn(places: Places, key: StoreKey, from: Ballot, isThere: boolean): void {
  const known = places.get(key);
  if (known === undefined || compareBallots(from, known.ballot) > 0) places.set(key, { ballot: from, isThere });
}

test('whatever is propagated, lost, late or marked on the way, the last record makes every index right', () => {
  const change = fc.record({
    kind: fc.constantFrom('write', 'write', 'write', 'delete', 'again'),
    a0: fc.constantFrom('x', 'y', 'z', undefined),
    a1: fc.constantFrom('x', 'y', undefined),
    x: fc.constantFrom('1', '2'),
    // Settled at once; put out, but not known to be there; never; or late, behind everything else.
    fate: fc.constantFrom('settled', 'sent', 'never', 'late'),
    grows: fc.boolean(),
  });
  fc.assert(
    fc.property(fc.array(change, { minLength: 1, maxLength: 12 }), fc.nat(2), (changes, growsAt) => {
      const places: Places = new Map();
      const late: (() => void)[] = [];
      let settled = NOTHING_SETTLED;
      let version = 1;
      const derivations = [
        derivation(1, [global(2)]),
        derivation(2, [global(2), global(3, 'INCLUDE')]),
        derivation(3, [global(3, 'INCLUDE'), global(4, 'KEYS_ONLY')]),
      ];
      let top: ItemRecord | undefined;
      const propagate = (record: ItemRecord, on: Basis) => {
        for (const key of record.derived!.owed) learn(places, key, record.ballot, false);
        for (const { key } of entriesOf(record, on)) learn(places, key, record.ballot, true);
      };
      for (const [i, each] of changes.entries()) {
        if (each.grows && version < 3 && i >= growsAt) version++;
        const on = { ...basis(derivations[version - 1]), settled };
        const attributes: AttributeMap = { n: { N: '1' }, x: { S: each.x } };
        if (each.a0 !== undefined) attributes.a0 = { S: each.a0 };
        if (each.a1 !== undefined) attributes.a1 = { S: each.a1 };
        const made: ItemRecord =
          each.kind === 'again' && top !== undefined
            ? chosenAgain(top, ballot(10 + i), on)
            : written(top, 10 + i, each.kind === 'delete' ? undefined : attributes, on);
        top = made;
        if (each.fate === 'late') late.push(() => propagate(made, on));
        else if (each.fate !== 'never') propagate(made, on);
        if (each.fate === 'settled') settled = { ...NOTHING_SETTLED, due: made.derived!.due };
      }
      const last = top!;
      const on = basis(derivations[version - 1]);
      if (compareBallots(last.derived!.due, settled.due) > 0) propagate(last, on);
      for (const each of late) each();
      const indexes = new Set(on.derivation!.indexes.map(({ storageId }) => storageId));
      const there = [...places].filter(([key, { isThere }]) => isThere && indexes.has(tableOf(key)));
      const entries = entriesOf(last, on);
      expect(there.map(([key]) => key).sort()).toEqual(entries.map(({ key }) => key).sort());
      expect(last.derived!.entries).toEqual(entries.map(({ key }) => key));
    }),
    { numRuns: 2_000 },
  );
});

test('an entry holds what its index projects, and the very bytes of the item if that is all', () => {
  const on = basis(derivation(1, [global(2), global(4, 'INCLUDE'), global(6, 'KEYS_ONLY')]));
  const record = written(undefined, 1, at('v', { x: { S: '1' }, y: { S: '2' } }), on);
  const [all, some, keys] = entriesOf(record, on);
  expect(all!.item).toBe(record.item);
  expect(Object.keys(fromImage(some!.item)).sort()).toEqual(['a0', 'n', 'p', 's', 'x']);
  expect(Object.keys(fromImage(keys!.item)).sort()).toEqual(['a0', 'n', 'p', 's']);
});

test('entries are the same for the process that made the record and for one that has read it', () => {
  const on = basis(derivation(1, [global(2), global(4, 'INCLUDE')]));
  const item = at('v', { x: { S: '1' }, y: { S: '2' } });
  const record = written(undefined, 1, item, on);
  expect(entriesOf(record, on)).toEqual(entriesOf(decodeRecord(record.stored), on));
  // By a newer derivation there may be others.
  const newer = basis(derivation(2, [global(6)]));
  expect(entriesOf(record, newer)).toEqual(entriesOf(decodeRecord(record.stored), newer));
  expect(entriesOf(record, newer)).not.toEqual(entriesOf(record, on));
});
