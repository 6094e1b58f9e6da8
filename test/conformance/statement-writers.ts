import type { AttributeValue } from '@aws-sdk/client-dynamodb';
import fc from 'fast-check';

/*
 * Items, conditions and changes at random, and their texts: of PartiQL, and of the expressions of other operations.
 */

export type Item = Record<string, AttributeValue>;

export const partition = fc.constantFrom('a', 'b', "it's", 'ü');
export const sortKey = fc.integer({ min: -3, max: 6 }).map(String);
const scalar: fc.Arbitrary<AttributeValue> = fc.oneof(
  fc.constantFrom('', 'x', "o'clock", 'xyz', '"', '?', '--').map((S) => ({ S })),
  fc.constantFrom('0', '1', '-1', '2.5', '1e3', '-0.001').map((N) => ({ N })),
  fc.boolean().map((BOOL) => ({ BOOL })),
  fc.constant({ NULL: true as const }),
);
const value: fc.Arbitrary<AttributeValue> = fc.oneof(
  { weight: 3, arbitrary: scalar },
  fc.array(scalar, { maxLength: 3 }).map((L) => ({ L })),
  fc.dictionary(fc.constantFrom('x', 'y z', '#n'), scalar, { maxKeys: 2 }).map((M) => ({ M })),
  fc.uniqueArray(fc.constantFrom('x', 'xyz', "o'clock"), { minLength: 1 }).map((SS) => ({ SS })),
  fc.uniqueArray(fc.constantFrom('1', '2', '-1'), { minLength: 1 }).map((NS) => ({ NS })),
);
export const NAMES = ['p', 'q', 'r', 'order', '#odd', 'size'] as const;
export const item: fc.Arbitrary<Item> = fc
  .record(
    {
      pk: partition.map((S) => ({ S })),
      sk: sortKey.map((N) => ({ N })),
      color: fc.constantFrom('red', 'blue').map((S) => ({ S })),
      tier: fc.integer({ min: 0, max: 3 }).map((N) => ({ N: String(N) })),
      p: value,
      q: value,
      r: value,
      order: value,
      '#odd': value,
      size: value,
    },
    { requiredKeys: ['pk', 'sk'] },
  )
  .map((each) => each as Item);

/** A text of PartiQL with the values of its `?`. */
export class StatementWriter {
  readonly parameters: AttributeValue[] = [];
  readonly #draws: Iterator<boolean>;

  constructor(draws: readonly boolean[]) {
    this.#draws = (function* () {
      while (true) yield* draws;
    })();
  }

  name = (name: string) =>
    /^[a-z]+$/.test(name) && !['order', 'size'].includes(name) && this.#draw() ? name : `"${name}"`;
  path = (path: Path) =>
    path.map((step, at) => (typeof step === 'number' ? `[${step}]` : (at > 0 ? '.' : '') + this.name(step))).join('');

  value(given: AttributeValue): string {
    if (this.#draw()) {
      this.parameters.push(given);
      return '?';
    }
    return literal(given);
  }

  #draw(): boolean {
    return this.#draws.next().value;
  }
}

export function literal(given: AttributeValue): string {
  if (given.S !== undefined) return `'${given.S.replaceAll("'", "''")}'`;
  if (given.N !== undefined) return given.N;
  if (given.BOOL !== undefined) return given.BOOL ? 'TRUE' : 'false';
  if (given.NULL !== undefined) return 'NULL';
  if (given.SS !== undefined) return `<<${given.SS.map((S) => literal({ S })).join(', ')}>>`;
  if (given.NS !== undefined) return `<<${given.NS.join(',')}>>`;
  if (given.L !== undefined) return `[${given.L.map(literal).join(', ')}]`;
  const members = Object.entries(given.M!).map(([name, member]) => `${literal({ S: name })}: ${literal(member)}`);
  return `{${members.join(', ')}}`;
}

/** The texts of an operation's expressions, with their names and values. */
export class ExpressionWriter {
  readonly names: Record<string, string> = {};
  readonly values: Record<string, AttributeValue> = {};

  path = (path: Path) =>
    path
      .map((step, at) => {
        if (typeof step === 'number') return `[${step}]`;
        const known = Object.keys(this.names).find((key) => this.names[key] === step);
        const reference = known ?? `#n${Object.keys(this.names).length}`;
        this.names[reference] = step;
        return (at > 0 ? '.' : '') + reference;
      })
      .join('');

  value(given: AttributeValue): string {
    const reference = `:v${Object.keys(this.values).length}`;
    this.values[reference] = given;
    return reference;
  }

  get placeholders() {
    const { names, values } = this;
    return {
      ...(Object.keys(names).length > 0 && { ExpressionAttributeNames: names }),
      ...(Object.keys(values).length > 0 && { ExpressionAttributeValues: values }),
    };
  }
}

export type Writer = StatementWriter | ExpressionWriter;
type Path = readonly (string | number)[];

type Condition =
  | { kind: 'compare'; comparator: string; path: Path; value: AttributeValue }
  | { kind: 'between'; path: Path; bounds: readonly AttributeValue[] }
  | { kind: 'in'; path: Path; values: readonly AttributeValue[] }
  | { kind: 'begins_with' | 'contains' | 'attribute_type'; path: Path; value: AttributeValue }
  | { kind: 'missing' | 'null'; path: Path; isNegated: boolean }
  | { kind: 'size'; comparator: string; path: Path; value: AttributeValue }
  | { kind: 'not'; condition: Condition }
  | { kind: 'AND' | 'OR'; left: Condition; right: Condition };

const path: fc.Arbitrary<Path> = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom(...NAMES).map((name) => [name]) },
  fc.tuple(fc.constantFrom(...NAMES), fc.constantFrom<string | number>('x', 'y z', 0, 1)),
);
const comparator = fc.constantFrom('=', '<>', '<', '<=', '>', '>=');
export const { condition } = fc.letrec<{ condition: Condition }>((tie) => ({
  condition: fc.oneof(
    { maxDepth: 3, withCrossShrink: true },
    fc.record({ kind: fc.constant('compare' as const), comparator, path, value }),
    fc.record({ kind: fc.constant('between' as const), path, bounds: fc.tuple(scalar, scalar) }),
    fc.record({ kind: fc.constant('in' as const), path, values: fc.array(value, { minLength: 1, maxLength: 3 }) }),
    fc.record({ kind: fc.constantFrom('begins_with' as const, 'contains' as const), path, value: scalar }),
    fc.record({
      kind: fc.constant('attribute_type' as const),
      path,
      value: fc.constantFrom('S', 'N', 'L', 'M', 'SS', 'NULL', 'BOOL', 'Z').map((S) => ({ S })),
    }),
    fc.record({ kind: fc.constantFrom('missing' as const, 'null' as const), path, isNegated: fc.boolean() }),
    fc.record({
      kind: fc.constant('size' as const),
      comparator,
      path,
      value: fc.integer({ min: 0, max: 3 }).map((N) => ({ N: String(N) })),
    }),
    fc.record({ kind: fc.constant('not' as const), condition: tie('condition') }),
    fc.record({
      kind: fc.constantFrom('AND' as const, 'OR' as const),
      left: tie('condition'),
      right: tie('condition'),
    }),
  ),
}));

/** The text of a condition in the language of the writer. */
export function write(writer: Writer, given: Condition): string {
  const isStatement = writer instanceof StatementWriter;
  const at = (where: Path) => writer.path(where);
  switch (given.kind) {
    case 'compare': {
      const left = at(given.path);
      return `${left} ${given.comparator} ${writer.value(given.value)}`;
    }
    case 'between': {
      const left = at(given.path);
      const [lower, upper] = given.bounds.map((bound) => writer.value(bound));
      return `${left} BETWEEN ${lower} AND ${upper}`;
    }
    case 'in': {
      const left = at(given.path);
      const values = given.values.map((each) => writer.value(each)).join(', ');
      return isStatement ? `${left} IN [${values}]` : `${left} IN (${values})`;
    }
    case 'begins_with':
    case 'contains':
    case 'attribute_type': {
      const left = at(given.path);
      return `${given.kind}(${left}, ${writer.value(given.value)})`;
    }
    case 'missing':
      if (isStatement) return `${at(given.path)} IS ${given.isNegated ? 'NOT ' : ''}MISSING`;
      return `${given.isNegated ? 'attribute_exists' : 'attribute_not_exists'}(${at(given.path)})`;
    case 'null': {
      if (isStatement) return `${at(given.path)} IS ${given.isNegated ? 'NOT ' : ''}NULL`;
      const left = at(given.path);
      return `${given.isNegated ? 'NOT ' : ''}attribute_type(${left}, ${writer.value({ S: 'NULL' })})`;
    }
    case 'size': {
      const left = at(given.path);
      return `size(${left}) ${given.comparator} ${writer.value(given.value)}`;
    }
    case 'not':
      return `NOT ${parenthesised(writer, given.condition)}`;
    case 'AND':
    case 'OR': {
      const left = parenthesised(writer, given.left);
      return `${left} ${given.kind} ${parenthesised(writer, given.right)}`;
    }
  }
}

export function parenthesised(writer: Writer, given: Condition): string {
  return `(${write(writer, given)})`;
}

export type Change =
  | { kind: 'set'; path: Path; value: AttributeValue }
  | { kind: 'copy'; path: Path; from: Path }
  | { kind: 'sum'; path: Path; from: Path; sign: string; value: AttributeValue }
  | { kind: 'append'; path: Path; from: Path; value: AttributeValue; isFirst: boolean }
  | { kind: 'ADD' | 'DELETE'; path: Path; value: AttributeValue }
  | { kind: 'REMOVE'; path: Path };

const set: fc.Arbitrary<AttributeValue> = fc.oneof(
  fc.uniqueArray(fc.constantFrom('x', 'new'), { minLength: 1 }).map((SS) => ({ SS })),
  fc.uniqueArray(fc.constantFrom('1', '7'), { minLength: 1 }).map((NS) => ({ NS })),
);
export const change: fc.Arbitrary<Change> = fc.oneof(
  fc.record({ kind: fc.constant('set' as const), path, value }),
  fc.record({ kind: fc.constant('copy' as const), path, from: path }),
  fc.record({
    kind: fc.constant('sum' as const),
    path,
    from: path,
    sign: fc.constantFrom('+', '-'),
    value: fc.constantFrom<AttributeValue>({ N: '1' }, { N: '0.5' }, { S: 'x' }),
  }),
  fc.record({
    kind: fc.constant('append' as const),
    path,
    from: path,
    value: fc.array(scalar, { maxLength: 2 }).map((L) => ({ L })),
    isFirst: fc.boolean(),
  }),
  fc.record({ kind: fc.constantFrom('ADD' as const, 'DELETE' as const), path, value: set }),
  fc.record({ kind: fc.constant('REMOVE' as const), path }),
);

export function assigned(writer: Writer, given: Change): string {
  const target = writer.path(given.path);
  switch (given.kind) {
    case 'set':
      return `${target} = ${writer.value(given.value)}`;
    case 'copy':
      return `${target} = ${writer.path(given.from)}`;
    case 'sum':
      return `${target} = ${writer.path(given.from)} ${given.sign} ${writer.value(given.value)}`;
    case 'append': {
      const parts = [() => writer.path(given.from), () => writer.value(given.value)];
      const written = (given.isFirst ? parts.reverse() : parts).map((part) => part());
      return `${target} = list_append(${written.join(', ')})`;
    }
    case 'REMOVE':
      return target;
    default:
      if (writer instanceof ExpressionWriter) return `${target} ${writer.value(given.value)}`;
      return `${target} = ${given.kind === 'ADD' ? 'set_add' : 'SET_DELETE'}(${writer.path(given.path)}, ${writer.value(given.value)})`;
  }
}
