import type { AttributeMap, AttributeValue } from '../../src/api/attribute-value.ts';
import { type Filter, type Question, TABLE, type Test } from './question.ts';

/** How a question is written down. */
export interface Notation {
  readonly isLegacy: boolean;
  /** Conditions of the sort key come before those of the partition key. */
  readonly isSortFirst: boolean;
  /** Parentheses around: nothing, each condition, or all of them together. */
  readonly around: 'none' | 'each' | 'all';
  readonly isLowerCase: boolean;
  /** Values come before names: `:v <= sk`. */
  readonly isReversed: boolean;
  /** Whether a name may stand in an expression as it is. */
  readonly isPlain: (name: string) => boolean;
}

/** Collects the names and values of the expressions of one request. */
class Placeholders {
  readonly #names = new Map<string, string>();
  readonly #values: AttributeValue[] = [];
  readonly #isPlain: Notation['isPlain'];

  constructor(isPlain: Notation['isPlain']) {
    this.#isPlain = isPlain;
  }

  name(name: string): string {
    if (this.#isPlain(name)) return name;
    if (!this.#names.has(name)) this.#names.set(name, `#n${this.#names.size}`);
    return this.#names.get(name)!;
  }

  value(value: AttributeValue): string {
    return `:v${this.#values.push(value)}`;
  }

  get parameters(): object {
    return {
      ...(this.#names.size > 0 && {
        ExpressionAttributeNames: Object.fromEntries([...this.#names].map(([name, alias]) => [alias, name])),
      }),
      ...(this.#values.length > 0 && {
        ExpressionAttributeValues: Object.fromEntries(this.#values.map((value, at) => [`:v${at + 1}`, value])),
      }),
    };
  }
}

/** The members of the request, without a start key. Each call makes values of its own: requests are normalised in place. */
export function requestOf(question: Question, notation: Notation): Record<string, unknown> {
  const { target, limit, select, isForward, isConsistent, level } = question;
  const request: Record<string, unknown> = {
    TableName: TABLE,
    IndexName: target.index?.name,
    Limit: limit,
    Select: select,
    ScanIndexForward: isForward,
    ConsistentRead: isConsistent,
    ReturnConsumedCapacity: level,
    ...(notation.isLegacy ? legacy(question) : expressions(question, notation)),
  };
  for (const [name, value] of Object.entries(request)) if (value === undefined) delete request[name];
  return structuredClone(request);
}

function partitionTests(partition: AttributeMap): readonly Test[] {
  return Object.entries(partition).map(([name, value]): Test => ({ name, op: '=', values: [value] }));
}

function expressions({ partition, sort, filter, names }: Question, notation: Notation): object {
  const placeholders = new Placeholders(notation.isPlain);
  const word = (text: string) => (notation.isLowerCase ? text.toLowerCase() : text);
  const keys = partitionTests(partition);
  const written = (notation.isSortFirst ? [...sort, ...keys] : [...keys, ...sort]).map((test) => {
    const isReversed = notation.isReversed && Object.hasOwn(MIRRORED, test.op);
    const text = isReversed ? reversed(test, placeholders) : textOf(test, placeholders, word);
    return notation.around === 'each' ? `(${text})` : text;
  });
  const joined = written.join(` ${word('AND')} `);
  return {
    KeyConditionExpression: notation.around === 'all' ? `(${joined})` : joined,
    FilterExpression: filter && filterText(filter, placeholders, word),
    ProjectionExpression: names?.map((name) => placeholders.name(name)).join(', '),
    ...placeholders.parameters,
  };
}

const MIRRORED: Partial<Record<Test['op'], string>> = { '=': '=', '<': '>', '<=': '>=', '>': '<', '>=': '<=' };

function reversed({ name, op, values }: Test, placeholders: Placeholders): string {
  return `${placeholders.value(values[0]!)} ${MIRRORED[op]} ${placeholders.name(name)}`;
}

function textOf({ name, op, values }: Test, placeholders: Placeholders, word: (text: string) => string): string {
  const path = placeholders.name(name);
  const [first, second] = values.map((value) => placeholders.value(value));
  switch (op) {
    case 'exists':
      return `attribute_exists(${path})`;
    case 'absent':
      return `attribute_not_exists(${path})`;
    case 'begins_with':
      return `begins_with(${path}, ${first})`;
    case 'BETWEEN':
      return `${path} ${word('BETWEEN')} ${first} ${word('AND')} ${second}`;
    default:
      return `${path} ${op} ${first}`;
  }
}

function filterText(filter: Filter, placeholders: Placeholders, word: (text: string) => string): string {
  switch (filter.kind) {
    case 'test':
      return textOf(filter.test, placeholders, word);
    case 'not':
      return `${word('NOT')} (${filterText(filter.of, placeholders, word)})`;
    default:
      return filter.of
        .map((each) => {
          const text = filterText(each, placeholders, word);
          return each.kind === 'and' || each.kind === 'or' ? `(${text})` : text;
        })
        .join(` ${word(filter.kind.toUpperCase())} `);
  }
}

const LEGACY: Record<Test['op'], string> = {
  '=': 'EQ',
  '<': 'LT',
  '<=': 'LE',
  '>': 'GT',
  '>=': 'GE',
  BETWEEN: 'BETWEEN',
  begins_with: 'BEGINS_WITH',
  exists: 'NOT_NULL',
  absent: 'NULL',
};

function legacy({ partition, sort, filter, names }: Question): object {
  const tests = filterTests(filter);
  return {
    KeyConditions: legacyConditions([...partitionTests(partition), ...sort]),
    QueryFilter: tests && legacyConditions(tests),
    ConditionalOperator: filter?.kind === 'and' || filter?.kind === 'or' ? filter.kind.toUpperCase() : undefined,
    AttributesToGet: names,
  };
}

function legacyConditions(tests: readonly Test[]): object {
  return Object.fromEntries(
    tests.map(({ name, op, values }) => [
      name,
      { ComparisonOperator: LEGACY[op], ...(values.length > 0 && { AttributeValueList: values }) },
    ]),
  );
}

/** The tests of a filter that QueryFilter can express: one test, or several of different attributes, joined. */
function filterTests(filter: Filter | undefined): readonly Test[] | undefined {
  if (filter === undefined) return undefined;
  if (filter.kind === 'test') return [filter.test];
  if (filter.kind === 'not') throw new Error('QueryFilter has no NOT');
  return filter.of.map((each) => {
    if (each.kind !== 'test') throw new Error('QueryFilter does not nest');
    return each.test;
  });
}

/** Whether QueryFilter can express a filter. */
export function isLegacyFilter(filter: Filter | undefined): boolean {
  if (filter === undefined || filter.kind === 'test') return true;
  if (filter.kind === 'not') return false;
  const names = filter.of.map((each) => (each.kind === 'test' ? each.test.name : ''));
  return filter.of.length > 1 && !names.includes('') && new Set(names).size === names.length;
}
