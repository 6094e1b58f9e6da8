import fc from 'fast-check';
import type { AttributeMap, AttributeValue } from '../../src/api/attribute-value.ts';
import type { ReturnConsumedCapacity, Select } from '../../src/api/operations.ts';
import { isPlainName, OTHERS, scalar } from './arbitrary-tables.ts';
import type { ModelSchema, ModelTable, Target } from './model-table.ts';
import { isLegacyFilter, type Notation } from './notation.ts';
import { comparisonsOf, type Filter, passes, type Question, type Test } from './question.ts';
import { attributeOf, compareScalars, type ScalarType } from './values.ts';

/** Where a query begins. */
export type Start =
  | { readonly kind: 'beginning' }
  /** Behind one of the items in the range. */
  | { readonly kind: 'entry'; readonly at: number }
  /** At a place within the range at which nothing is, or may have been once. */
  | { readonly kind: 'elsewhere'; readonly at: number; readonly values: Readonly<Record<ScalarType, AttributeValue>> };

/** A draft of a question. It becomes one with a table: partitions and bounds are mostly those of its items. */
export interface Draft {
  readonly targetAt: number;
  /** The item whose partition and sort key are asked about. */
  readonly itemAt: number;
  /** Instead of the item's: a partition that may be empty. */
  readonly stranger: Readonly<Record<ScalarType, AttributeValue>> | undefined;
  /** How many sort key attributes are compared, the comparison of the last one, and its second operand. */
  readonly depth: number;
  readonly comparisonAt: number;
  readonly bound: Readonly<Record<ScalarType, AttributeValue>> | undefined;
  readonly second: Readonly<Record<ScalarType, AttributeValue>>;
  readonly cut: number;
  readonly filter: Filter | undefined;
  readonly names: readonly string[] | undefined;
  readonly select: Select | undefined;
  readonly isForward: boolean | undefined;
  readonly isConsistent: boolean | undefined;
  readonly limit: number | undefined;
  readonly level: ReturnConsumedCapacity | undefined;
  readonly notation: Omit<Notation, 'isPlain'>;
  readonly start: Start;
}

/** @param weight how much more often it is there than not */
const optional = <Value>(of: fc.Arbitrary<Value>, weight: number) =>
  fc.oneof({ weight: 10, arbitrary: fc.constant(undefined) }, { weight: 10 * weight, arbitrary: of });
const ofEachType = fc.record({ S: scalar('S'), N: scalar('N'), B: scalar('B') });

const filterTest: fc.Arbitrary<Test> = fc.oneof(
  fc.record({
    name: fc.constantFrom(...OTHERS),
    op: fc.constantFrom('exists' as const, 'absent' as const),
    values: fc.constant([]),
  }),
  fc.record({
    name: fc.constantFrom('n', 'text', 'with space'),
    op: fc.constantFrom('=', '<', '<=', '>', '>='),
    values: fc.tuple(fc.constantFrom<AttributeValue>({ N: '0' }, { N: '1.0' }, { S: 'text' })),
  }),
  fc.record({
    name: fc.constantFrom('n', 'text'),
    op: fc.constant('BETWEEN' as const),
    values: fc.constant<AttributeValue[]>([{ N: '-1' }, { N: '1e0' }]),
  }),
  fc.record({
    name: fc.constantFrom('text', 'with space'),
    op: fc.constant('begins_with' as const),
    values: fc.constant<AttributeValue[]>([{ S: 'é' }]),
  }),
);

const { filter } = fc.letrec<{ filter: Filter; test: Filter; joined: Filter; not: Filter }>((tie) => ({
  test: filterTest.map((test) => ({ kind: 'test', test })),
  joined: fc.record({
    kind: fc.constantFrom('and' as const, 'or' as const),
    of: fc.array(tie('filter'), { minLength: 2, maxLength: 3 }),
  }),
  not: tie('filter').map((of) => ({ kind: 'not', of })),
  filter: fc.oneof({ maxDepth: 3, depthSize: 'small' }, tie('test'), tie('joined'), tie('not')),
}));

export const draft: fc.Arbitrary<Draft> = fc.record({
  targetAt: fc.nat(),
  itemAt: fc.nat(),
  stranger: optional(ofEachType, 0.1),
  depth: fc.constantFrom(0, 0, 0, 1, 1, 2, 3, 4),
  comparisonAt: fc.nat(),
  bound: optional(ofEachType, 2),
  second: ofEachType,
  cut: fc.nat({ max: 3 }),
  filter: optional(filter, 1),
  names: optional(fc.uniqueArray(fc.constantFrom(...OTHERS, 'pk', 'sk', 'a'), { minLength: 1, maxLength: 3 }), 1),
  select: fc.constantFrom(undefined, 'ALL_ATTRIBUTES', 'ALL_PROJECTED_ATTRIBUTES', 'COUNT', 'SPECIFIC_ATTRIBUTES'),
  isForward: fc.constantFrom(undefined, true, false),
  isConsistent: fc.constantFrom(undefined, true, false),
  limit: optional(fc.integer({ min: 1, max: 12 }), 3),
  level: fc.constantFrom(undefined, 'NONE', 'TOTAL', 'INDEXES'),
  notation: fc.record({
    isLegacy: fc.constantFrom(false, false, true),
    isSortFirst: fc.boolean(),
    around: fc.constantFrom('none', 'each', 'all'),
    isLowerCase: fc.boolean(),
    isReversed: fc.boolean(),
  }),
  start: fc.oneof(
    fc.constant<Start>({ kind: 'beginning' }),
    fc.record({ kind: fc.constant('entry' as const), at: fc.nat() }),
    fc.record({ kind: fc.constant('elsewhere' as const), at: fc.nat(), values: ofEachType }),
  ),
});

/** The valid question that a draft is of a table. */
export function questionOf(table: ModelTable, of: Draft): { question: Question; notation: Notation } {
  const { targets } = table;
  const target = targets[of.targetAt % targets.length]!;
  const entries = table.entries(target);
  const model = entries.length === 0 ? undefined : entries[of.itemAt % entries.length]!.item;
  const stranger = of.stranger ?? of.second;
  const partition = Object.fromEntries(
    target.partition.map(({ name, type }) => [
      name,
      of.stranger === undefined && model !== undefined ? attributeOf(model, name)! : stranger[type],
    ]),
  );
  const sort = sortTests(target, of, model);
  const isGlobal = target.index?.kind === 'global';
  const projected = table.projectedNames(target);
  let names = of.names?.filter((name) => !isGlobal || projected === undefined || projected.includes(name));
  if (names?.length === 0) names = undefined;
  let { select } = of;
  if (select === 'ALL_PROJECTED_ATTRIBUTES' && target.index === undefined) select = undefined;
  if (select === 'ALL_ATTRIBUTES' && isGlobal && projected !== undefined) select = undefined;
  if (select === 'SPECIFIC_ATTRIBUTES') names ??= ['pk'];
  else if (select !== undefined) names = undefined;
  // Multi-attribute keys came long after the legacy parameters.
  const isSimple = target.partition.length === 1 && target.sort.length <= 1;
  const isLegacy = of.notation.isLegacy && isSimple && isLegacyFilter(of.filter);
  const question: Question = {
    target,
    partition,
    sort,
    isForward: of.isForward,
    limit: of.limit,
    filter: of.filter,
    names,
    select,
    isConsistent: isGlobal ? (of.isConsistent === true ? undefined : of.isConsistent) : of.isConsistent,
    level: of.level,
  };
  return { question, notation: { ...of.notation, isLegacy, isPlain: isPlainName } };
}

function sortTests({ sort }: Target, of: Draft, model: AttributeMap | undefined): readonly Test[] {
  const compared = sort.slice(0, of.depth);
  return compared.map((part, at): Test => {
    const { name, type } = part;
    const own = model === undefined ? of.second[type] : attributeOf(model, name)!;
    if (at < compared.length - 1) return { name, op: '=', values: [own] };
    const op = pickAt(comparisonsOf(part), of.comparisonAt);
    const first = of.bound?.[type] ?? own;
    if (op === 'begins_with') return { name, op, values: [cutOff(first, of.cut)] };
    if (op !== 'BETWEEN') return { name, op, values: [first] };
    const second = of.second[type];
    return { name, op, values: compareScalars(first, second) <= 0 ? [first, second] : [second, first] };
  });
}

function pickAt<Value>(values: readonly Value[], at: number): Value {
  return values[at % values.length]!;
}

/** A beginning of a value, which is not empty. */
function cutOff(value: AttributeValue, bytes: number): AttributeValue {
  if ('S' in value)
    return {
      S: Array.from(value.S)
        .slice(0, Math.max(1, [...value.S].length - bytes))
        .join(''),
    };
  if (!('B' in value)) throw new Error('a number has no beginning');
  const all = Buffer.from(value.B, 'base64');
  return { B: all.subarray(0, Math.max(1, all.length - bytes)).toString('base64') };
}

/**
 * A start key within the range of a question, mostly not that of an entry: of another item, with other sort keys as far as
 * the question leaves them open.
 * @param near an item in the range
 */
export function strangeStart(
  schema: ModelSchema,
  { target, partition, sort }: Question,
  near: AttributeMap,
  values: Readonly<Record<ScalarType, AttributeValue>>,
): AttributeMap {
  const key = new Map<string, AttributeValue>();
  const fits = (name: string, value: AttributeValue) =>
    sort.every((test) => test.name !== name || passes(test, Object.fromEntries([[name, value]])));
  for (const { name } of target.partition) key.set(name, attributeOf(partition, name)!);
  const ownKeys = schema.sort === undefined ? [schema.partition] : [schema.partition, schema.sort];
  for (const { name, type } of [...target.sort, ...ownKeys]) {
    if (!key.has(name)) key.set(name, fits(name, values[type]) ? values[type] : attributeOf(near, name)!);
  }
  return Object.fromEntries(key);
}
