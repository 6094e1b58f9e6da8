import { type AttributeMap, type AttributeValue, normaliseMap, normaliseValue } from '../attribute-value.ts';
import { ApiError } from '../errors.ts';
import { checkValueBytes } from '../expression/value-bytes.ts';
import { type Place, unsupportedAt } from './statement-error.ts';
import type { Expr, StatementSyntax } from './statement-syntax.ts';

/*
 * Texts that have no other source were recorded by floci (2026-09-17, eu-west-2).
 */

/** How deep a member may be in a literal. */
const MOST_LEVELS = 32;

/** What stands for the `?` of a statement, and its text for messages. */
export interface Parameters {
  readonly text: string;
  /** Normalised. */
  readonly values: readonly AttributeValue[];
}

/**
 * Checks the parameters of a statement, and normalises them in place.
 * @throws ApiError (ValidationException)
 */
export function bindParameters(
  { text, parameterCount }: StatementSyntax,
  values: readonly AttributeValue[] = [],
): Parameters {
  checkValueBytes('Parameters', values);
  for (const value of values) normaliseValue(value);
  if (values.length !== parameterCount) {
    throw ApiError.validation("Number of parameters in request and statement don't match.");
  }
  return { text, values };
}

/** Whether an expression is a value that no item has a say in. */
export function isValue({ kind }: Expr): boolean {
  return kind === 'literal' || kind === 'parameter' || kind === 'list' || kind === 'tuple' || kind === 'bag';
}

/**
 * The value of an expression that `isValue`.
 * @returns normalised; a parameter's value is that of the request
 * @throws ApiError (ValidationException)
 */
export function constantOf(parameters: Parameters, expr: Expr): AttributeValue {
  if (expr.kind === 'parameter') return parameters.values[expr.index]!;
  const value = literalOf(parameters, expr, 'root', 0);
  normaliseValue(value);
  return value;
}

/**
 * The item of an INSERT: a tuple, whose values may be parameters, or a parameter that is a map.
 * @returns normalised
 * @throws ApiError (ValidationException)
 */
export function itemOf(parameters: Parameters, expr: Expr): AttributeMap {
  if (expr.kind === 'parameter') {
    const value = parameters.values[expr.index]!;
    if ('M' in value) return value.M;
  }
  if (expr.kind !== 'tuple') throw unsupportedAt(parameters.text, expr, 'Expected a tuple as the value of INSERT');
  const entries = expr.members.map(([key, value]) => {
    const content =
      value.kind === 'parameter' ? parameters.values[value.index]! : literalOf(parameters, value, 'root', 0);
    return [keyOf(parameters, key), content] as const;
  });
  const item = Object.fromEntries(entries);
  normaliseMap(item);
  return item;
}

/** @param under the path that the service's messages name */
function literalOf(parameters: Parameters, expr: Expr, under: string, level: number): AttributeValue {
  if (level === MOST_LEVELS) throw ApiError.validation(`Nesting Levels have exceeded supported limits under ${under}`);
  switch (expr.kind) {
    case 'literal':
      // A copy: the syntax is shared by requests, and values are normalised in place.
      return { ...expr.value };
    case 'list':
      return { L: expr.elements.map((element, at) => literalOf(parameters, element, `${under}[${at}]`, level + 1)) };
    case 'bag':
      return setOf(expr.elements.map((element) => literalOf(parameters, element, under, level + 1)));
    case 'tuple': {
      const entries = expr.members.map(([key, value]) => {
        const name = keyOf(parameters, key);
        return [name, literalOf(parameters, value, `${under}.${name}`, level + 1)] as const;
      });
      return { M: Object.fromEntries(entries) };
    }
    default:
      throw unsupportedAt(parameters.text, expr, `Unsupported data type: ${KINDS[expr.kind]} under key ${under}`);
  }
}

/** The service's names for what is no literal: recorded for a parameter. */
const KINDS: Readonly<Record<Exclude<Expr['kind'], 'literal' | 'list' | 'bag' | 'tuple'>, string>> = {
  parameter: 'Parameter',
  path: 'VariableReference',
  missing: 'LiteralMissing',
  call: 'NAry',
  unary: 'NAry',
  binary: 'NAry',
  between: 'NAry',
  in: 'NAry',
  is: 'NAry',
  select: 'Select',
};

function keyOf({ text }: Parameters, key: Expr): string {
  if (key.kind === 'literal' && 'S' in key.value) return key.value.S;
  throw unsupportedAt(text, key as Place, 'Attribute names must be strings');
}

function setOf(members: readonly AttributeValue[]): AttributeValue {
  if (members.length === 0) throw ApiError.validation('Empty bags are not supported');
  if (members.every((member) => 'S' in member)) {
    const SS = members.map(({ S }) => S);
    if (new Set(SS).size < SS.length) throw duplicates(SS, '.');
    return { SS };
  }
  if (members.every((member) => 'N' in member)) {
    const NS = members.map(({ N }) => N);
    for (const member of members) normaliseValue(member);
    if (new Set(members.map(({ N }) => N)).size < NS.length) throw duplicates(NS, '! under root');
    return { NS };
  }
  throw ApiError.validation('Unsupported data type in Bag. DynamoDB only supports either numbers or strings in bags');
}

function duplicates(members: readonly string[], end: string): ApiError {
  const problem = `Input collection [${members.join(', ')}] contains duplicates${end}`;
  return ApiError.validation(`One or more parameter values were invalid: ${problem}`);
}
