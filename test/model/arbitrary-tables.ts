import fc from 'fast-check';
import type { AttributeMap, AttributeValue } from '../../src/api/attribute-value.ts';
import type { Change, ModelIndex, ModelSchema } from './model-table.ts';
import type { KeyPart, ScalarType } from './values.ts';

/** Few, so that many items meet in one partition and at one sort key; each is there for what it may break. */
const STRINGS = [
  'a',
  'b',
  'aa',
  'ab',
  'a\0',
  '\0',
  'é',
  // UTF-16 puts the second before the first, UTF-8 does not.
  '\uffff',
  '\u{1f600}',
  'a\u{10ffff}',
  // Around a group of eight bytes, in which keys of entries are kept.
  'aaaaaaa',
  'aaaaaaaa',
  'aaaaaaaa\0',
  'aaaaaaaab',
  'aaaaaaaaaaaaaaaa',
  'a-long-beginning-of-many-keys-which-are-told-apart-by-their-ends-alone-1',
  'a-long-beginning-of-many-keys-which-are-told-apart-by-their-ends-alone-2',
];
/** With all ways to write them: requests normalise them. */
const NUMBERS = [
  '0',
  '1',
  '-0.0',
  '1.0',
  '01',
  '1e0',
  '-1',
  '10',
  '9',
  '-10',
  '-9',
  '1.2',
  '1.21',
  '-1.2',
  '-1.21',
  '0.1',
  '100e-3',
  '123456789012345678901234567890.12345678',
  '123456789012345678901234567890.12345679',
  '1e-130',
  '-1e-130',
  '9.9999999999999999999999999999999999999e125',
  '-9.9999999999999999999999999999999999999E+125',
  '1e125',
];
const BINARIES = [
  [0],
  [0, 0],
  [1],
  [1, 0],
  [127],
  [128],
  [255],
  [255, 255],
  [255, 0],
  [1, 1, 1, 1, 1, 1, 1],
  [1, 1, 1, 1, 1, 1, 1, 1],
  [1, 1, 1, 1, 1, 1, 1, 1, 0],
].map((bytes) => Buffer.from(bytes).toString('base64'));

const POOLS: Record<ScalarType, readonly AttributeValue[]> = {
  S: STRINGS.map((S) => ({ S })),
  N: NUMBERS.map((N) => ({ N })),
  B: BINARIES.map((B) => ({ B })),
};

/** A value of a key attribute. */
export const scalar = (type: ScalarType) => fc.constantFrom(...POOLS[type]);

/** Mostly one of two values, so that there are large collections, and many entries with one sort key. */
function mostly(type: ScalarType, others: fc.Arbitrary<AttributeValue>): fc.Arbitrary<AttributeValue> {
  return fc.oneof({ weight: 4, arbitrary: fc.constantFrom(...POOLS[type].slice(0, 2)) }, others);
}

/** The attributes that may be keys of indexes, by their types. Some are reserved words, some no words of expressions. */
const NAMES = ['a', 'size', 'x.y', 'é', 'constructor', 'b2', 'order'];
/** The attributes that are no keys. */
export const OTHERS = ['text', 'n', 'list', 'with space', '__proto__'];

/** Names that may stand in an expression as they are. */
export const isPlainName = (name: string) => ['pk', 'sk', 'a', 'b2', 'n'].includes(name);

const scalarType = fc.constantFrom<ScalarType>('S', 'N', 'B');

const projection = fc.oneof(
  fc.constant('ALL' as const),
  fc.constant('KEYS_ONLY' as const),
  fc.uniqueArray(fc.constantFrom(...OTHERS), { minLength: 1, maxLength: 3 }),
);

/** Up to four attributes a part: developer guide, "Multi-attribute keys pattern". */
const MOST_PARTS = 4;

/** A schema, and the key attributes that its items may have. */
export const schema: fc.Arbitrary<ModelSchema> = fc
  .record({
    partition: scalarType,
    sort: fc.option(scalarType, { nil: undefined, freq: 5 }),
    types: fc.array(scalarType, { minLength: NAMES.length, maxLength: NAMES.length }),
  })
  .chain(({ partition: pkType, sort: skType, types }) => {
    const partition: KeyPart = { name: 'pk', type: pkType };
    const sort: KeyPart | undefined = skType && { name: 'sk', type: skType };
    const own = NAMES.map((name, at): KeyPart => ({ name, type: types[at]! }));
    const local = fc.record({ sort: fc.constantFrom(...own), projection });
    const anyPart = fc.constantFrom(partition, ...(sort ? [sort] : []), ...own);
    const global = fc.record({
      parts: fc.uniqueArray(anyPart, { minLength: 1, maxLength: 5, selector: ({ name }) => name }),
      partitions: fc.oneof({ weight: 3, arbitrary: fc.constant(1) }, fc.integer({ min: 1, max: MOST_PARTS })),
      projection,
    });
    return fc
      .record({
        locals: fc.array(local, { maxLength: sort === undefined ? 0 : 2 }),
        globals: fc.array(global, { maxLength: 3 }),
      })
      .map(({ locals, globals }) => ({
        partition,
        sort,
        indexes: [
          ...locals.map(
            (each, at): ModelIndex => ({
              name: `local-${at}`,
              kind: 'local',
              partition: [partition],
              sort: [each.sort],
              projection: each.projection,
            }),
          ),
          ...globals.map(({ parts, partitions, projection }, at): ModelIndex => {
            // At least one is the partition key, and at most four are the sort key.
            const split = Math.max(Math.min(partitions, parts.length), parts.length - MOST_PARTS);
            return {
              name: `global-${at}`,
              kind: 'global',
              partition: parts.slice(0, split),
              sort: parts.slice(split),
              projection,
            };
          }),
        ],
      }));
  });

/** All attributes that are keys of the table or an index. */
export function keyParts({ partition, sort, indexes }: ModelSchema): readonly KeyPart[] {
  const all = [partition, ...(sort ? [sort] : []), ...indexes.flatMap((index) => [...index.partition, ...index.sort])];
  return [...new Map(all.map((part) => [part.name, part])).values()];
}

const document: fc.Arbitrary<AttributeValue> = fc.oneof(
  fc.constantFrom<AttributeValue>({ BOOL: true }, { NULL: true }, { S: '' }, { S: 'text' }, { SS: ['x', 'y'] }),
  fc.integer({ min: -3, max: 3 }).map((n) => ({ N: `${n}.0` })),
  fc.constant<AttributeValue>({ L: [{ N: '1e0' }, { M: { 'a b': { S: 'é' } } }] }),
  fc.constantFrom(300, 1_000, 5_000).map((length) => ({ S: 'é'.repeat(length / 2) })),
);

/** Attributes that are no keys. `__proto__` is made an attribute as JSON makes it one. */
const other: fc.Arbitrary<AttributeMap> = fc
  .tuple(...OTHERS.map(() => fc.option(document, { nil: undefined, freq: 1 })))
  .map((values) =>
    Object.fromEntries(OTHERS.flatMap((name, at) => (values[at] === undefined ? [] : [[name, values[at]]]))),
  );

/** An item of the schema. It may lack every attribute that is not in the key of the table. */
export function itemOf(of: ModelSchema): fc.Arbitrary<AttributeMap> {
  return fc.tuple(keyOf(of), someIndexKeys(of), other).map(([key, keys, rest]) => ({ ...rest, ...keys, ...key }));
}

/** The key of an item, which need not exist. Its partitions are few if items of one partition differ by a sort key. */
export function keyOf({ partition, sort }: ModelSchema): fc.Arbitrary<AttributeMap> {
  const some = scalar(partition.type);
  const few = sort === undefined ? some : mostly(partition.type, some);
  return fc
    .tuple(few, sort === undefined ? fc.constant(undefined) : scalar(sort.type))
    .map(([pk, sk]) => ({ pk, ...(sk && { sk }) }));
}

/** Attributes that are keys of indexes, and not of the table: each mostly there, mostly one of a few. */
export function someIndexKeys(of: ModelSchema): fc.Arbitrary<AttributeMap> {
  const parts = keyParts(of).filter(({ name }) => name !== 'pk' && name !== 'sk');
  const values = parts.map(({ type }) => {
    return fc.option(mostly(type, scalar(type)), { nil: undefined, freq: 6 });
  });
  return fc
    .tuple(...values)
    .map((all) =>
      Object.fromEntries(parts.flatMap(({ name }, at) => (all[at] === undefined ? [] : [[name, all[at]]]))),
    );
}

/** Changes that meet items: keys are few, and updates move items in indexes, into and out of them. */
export function changeOf(of: ModelSchema): fc.Arbitrary<Change> {
  const names = keyParts(of)
    .map(({ name }) => name)
    .filter((name) => name !== 'pk' && name !== 'sk');
  const update = fc
    .record({
      key: keyOf(of),
      set: fc.tuple(someIndexKeys(of), other).map(([keys, rest]) => ({ ...keys, ...rest })),
      kept: fc.nat(),
      remove: fc.subarray([...names, ...OTHERS.slice(0, 2)]),
    })
    .map(({ key, set, kept, remove }): Change => {
      // Mostly a few attributes at a time.
      const some = Object.entries(set).filter((_, at) => ((kept >> at) & 1) === 1);
      const setNames = some.map(([name]) => name);
      return {
        kind: 'update',
        key,
        set: Object.fromEntries(some),
        remove: remove.filter((name) => !setNames.includes(name)),
      };
    });
  return fc.oneof(
    { weight: 3, arbitrary: itemOf(of).map((item): Change => ({ kind: 'put', item })) },
    { weight: 6, arbitrary: update },
    { weight: 2, arbitrary: keyOf(of).map((key): Change => ({ kind: 'delete', key })) },
  );
}
