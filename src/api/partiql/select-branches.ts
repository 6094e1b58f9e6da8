import { type AttributeValue, equalValues, typeOf } from '../attribute-value.ts';
import { ApiError } from '../errors.ts';
import type { Condition } from '../expression/ast.ts';
import type { KeyTerm } from '../expression/key-condition.ts';
import { namesIn } from '../expression/key-paths.ts';
import type { KeyAttribute } from '../primary-key.ts';
import type { IndexKeySchema } from '../table-definition.ts';
import { keyTermOf } from './key-conditions.ts';

/** Developer guide, "PartiQL operators": values of a partition key in one IN. */
const MAX_BRANCHES = 50;

/** One of the alternatives of a WHERE clause. Of one that a Query reads, at most one term is for each attribute of the key. */
export interface Branch {
  readonly terms: readonly KeyTerm[];
  readonly filters: readonly Condition[];
}

const WHOLE: readonly Branch[] = [{ terms: [], filters: [] }];

/**
 * The alternatives of a condition, spread over each OR and IN that names the key. The rules were recorded by floci
 * (2026-09-17, eu-west-2).
 * @returns undefined if it is to be read by a Scan: an alternative does not fix the partition key, or fixes it to several
 *   values at once, or there are too many of them
 * @throws ApiError (ValidationException) for values that the key cannot have
 */
export function branchesOf(key: IndexKeySchema, conjuncts: readonly Condition[]): readonly Branch[] | undefined {
  const names = new Set([...key.partition, ...key.sort].map(({ name }) => name));
  const partition = new Set(key.partition.map(({ name }) => name));
  const spread = spreadAll({ names, partition }, conjuncts);
  if (spread === undefined) return undefined;
  for (const { terms } of spread) for (const term of terms) checkType(key, term);
  const keyed = spread.map((branch) => keyedBranch(key, branch));
  return keyed.every((branch) => branch !== undefined) ? keyed : undefined;
}

interface KeyNames {
  readonly names: ReadonlySet<string>;
  readonly partition: ReadonlySet<string>;
}

function spreadAll(key: KeyNames, conditions: readonly Condition[]): readonly Branch[] | undefined {
  let spread = WHOLE;
  for (const condition of conditions) {
    const next = spreadOne(key, condition);
    if (next === undefined || spread.length * next.length > MAX_BRANCHES) return undefined;
    spread = spread.flatMap((left) =>
      next.map((right) => ({
        terms: [...left.terms, ...right.terms],
        filters: [...left.filters, ...right.filters],
      })),
    );
  }
  return spread;
}

function spreadOne(key: KeyNames, condition: Condition): readonly Branch[] | undefined {
  const filtering: readonly Branch[] = [{ terms: [], filters: [condition] }];
  switch (condition.kind) {
    case 'and':
      return spreadAll(key, [condition.left, condition.right]);
    case 'or': {
      if (!namesKey(key, condition)) return filtering;
      const [left, right] = [spreadOne(key, condition.left), spreadOne(key, condition.right)];
      if (left === undefined || right === undefined || left.length + right.length > MAX_BRANCHES) return undefined;
      return [...left, ...right];
    }
    case 'in': {
      const terms = choicesOf(key, condition);
      if (terms === undefined) return filtering;
      if (terms.length > MAX_BRANCHES) throw tooManyChoices(terms.length);
      return terms.map((term) => ({ terms: [term], filters: [] }));
    }
    default: {
      const term = keyTermOf(condition);
      return term !== undefined && isOfKey(key, term) ? [{ terms: [term], filters: [] }] : filtering;
    }
  }
}

/** A partition key can only be fixed; of a sort key, a range can be read. */
function isOfKey({ names, partition }: KeyNames, { name, operator }: KeyTerm): boolean {
  return names.has(name) && (operator === '=' || !partition.has(name));
}

function choicesOf(
  { names }: KeyNames,
  { operand, choices }: Condition & { readonly kind: 'in' },
): readonly KeyTerm[] | undefined {
  if (operand.kind !== 'path' || operand.path.length > 1 || !names.has(operand.path[0] as string)) return undefined;
  const values: AttributeValue[] = [];
  for (const choice of choices) {
    if (choice.kind !== 'value') return undefined;
    values.push(choice.value);
  }
  return values.map((value) => ({ name: operand.path[0] as string, operator: '=', values: [value] }));
}

function namesKey(key: KeyNames, condition: Condition): boolean {
  switch (condition.kind) {
    case 'and':
    case 'or':
      return namesKey(key, condition.left) || namesKey(key, condition.right);
    case 'in':
      return choicesOf(key, condition) !== undefined;
    default: {
      const term = keyTermOf(condition);
      return term !== undefined && isOfKey(key, term);
    }
  }
}

function tooManyChoices(count: number): ApiError {
  return ApiError.validation(`The IN operator is provided with too many operands; number of operands: ${count}`);
}

function checkType(key: IndexKeySchema, { name, values }: KeyTerm): void {
  const { type } = [...key.partition, ...key.sort].find((attribute) => attribute.name === name)!;
  for (const value of values) {
    const given = typeOf(value);
    if (given === type) continue;
    throw ApiError.validation(
      given === 'S' || given === 'N' || given === 'B'
        ? `Key attribute's data type should match its data type in table's schema: Key ${name}`
        : `Key value must be of type S, N, or B. Key name: ${name}, Key type: ${given}`,
    );
  }
}

/** Terms that a Query cannot read by become filters. */
function keyedBranch(key: IndexKeySchema, { terms, filters }: Branch): Branch | undefined {
  const kept: KeyTerm[] = [];
  for (const { name } of key.partition) {
    const ofThis = terms.filter((term) => term.name === name);
    const [first] = ofThis;
    if (first === undefined || ofThis.some(({ values }) => !equalValues(values[0]!, first.values[0]!)))
      return undefined;
    kept.push(first);
  }
  let isOpen = true;
  for (const attribute of key.sort) {
    const term: KeyTerm | undefined = isOpen ? bestTerm(attribute, terms) : undefined;
    if (term !== undefined) kept.push(term);
    isOpen = term?.operator === '=';
  }
  const rest = terms.filter((term) => !kept.includes(term) && !key.partition.some(({ name }) => name === term.name));
  return { terms: kept, filters: [...filters, ...rest.map(conditionOfTerm)] };
}

function bestTerm({ name }: KeyAttribute, terms: readonly KeyTerm[]): KeyTerm | undefined {
  const ofThis = terms.filter((term) => term.name === name);
  return ofThis.find(({ operator }) => operator === '=') ?? ofThis[0];
}

function conditionOfTerm({ name, operator, values }: KeyTerm): Condition {
  const operand = { kind: 'path', path: [name] } as const;
  const [first, second] = values.map((value) => ({ kind: 'value', value }) as const);
  switch (operator) {
    case 'BETWEEN':
      return { kind: 'between', operand, lower: first!, upper: second! };
    case 'begins_with':
      return { kind: 'begins-with', operand, argument: first! };
    default:
      return { kind: 'compare', comparator: operator, left: operand, right: first! };
  }
}

/** The attributes that filters look at, in the order of their appearance. */
export function filteredNames(branches: readonly Branch[]): readonly string[] {
  return [...new Set(branches.flatMap(({ filters }) => filters.flatMap((filter) => [...namesIn(filter)])))];
}
